"""The imap provider beside mbsync, on one Dovecot on the loopback interface."""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys

from figures import mail_folder, measured, process, row, size_of
from harness import Archive

SERVICES = pathlib.Path(__file__).resolve().parents[1] / "services"
sys.path.insert(0, str(SERVICES))
from imap_mailbox import Mailbox, Server  # noqa: E402

FOLDERS = ("INBOX", "Projects", "Projects/Rome", "Sent")


def digest(content):
    """Without what mbsync changes: line ends, and a header of its own."""
    content = re.sub(rb"^X-TUID: .*\n", b"", content.replace(b"\r\n", b"\n"), flags=re.MULTILINE)
    return hashlib.sha256(content).hexdigest()


def imap(folder):
    folder.chmod(0o711)  # Dovecot reads mail as another user
    subprocess.run([SERVICES / "dovecot.sh", "start", folder / "dovecot"], check=True)
    try:
        beside_mbsync(folder, Server(folder / "dovecot/dovecot.json"))
    finally:
        subprocess.run([SERVICES / "dovecot.sh", "stop", folder / "dovecot"], check=True)


def mbsync_config(folder, server, user):
    config = folder / "mbsyncrc"
    config.write_text(f"""
IMAPAccount server
Host localhost
Port {server.tls_port}
User {user}
Pass {server.password}
SSLType IMAPS
CertificateFile {server.ca_file}

IMAPStore far
Account server

MaildirStore near
Path {folder}/maildir/
Inbox {folder}/maildir/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * !Drafts
Create Near
Sync Pull
SyncState *
""")
    (folder / "maildir").mkdir()
    return ["mbsync", "-q", "-c", str(config), "-a"]


def beside_mbsync(folder, server):
    user = server.new_user()
    mailbox = Mailbox(server, user)
    for name in FOLDERS[1:3]:
        mailbox.make(name)
    files = sorted(p for p in mail_folder(folder, 10_000).rglob("*") if p.is_file())
    for number, path in enumerate(files):
        if path.stat().st_size > 0:
            mailbox.append(FOLDERS[number % len(FOLDERS)], path.read_bytes())
    there = sorted(digest(content) for name in FOLDERS for content in mailbox.contents(name))
    row("imap", "messages", len(there))

    archive = Archive(folder / "site", {"host": "localhost", "port": server.tls_port, "ca_file": server.ca_file,
                                        "user": user, "password": server.password}, provider="imap")
    mbsync = mbsync_config(folder, server, user) if shutil.which("mbsync") else None

    def both(what):
        document, wall, cpu, memory = measured(archive, "sync")
        row(f"imap, {what}", "wall s, CPU s, peak MB", f"{wall:.2f}, {cpu:.2f}, {memory:.0f}")
        if mbsync:
            row(f"mbsync, {what}", "wall s, CPU s, peak MB", "{:.2f}, {:.2f}, {:.0f}".format(*process(mbsync)))
        return document

    both("import")
    both("nothing new")
    for number in range(50):
        mailbox.append("INBOX", files[number].read_bytes())
    mailbox.move("INBOX", "1:20", "Projects")
    both("50 new, 20 moved")
    there = sorted(digest(content) for name in FOLDERS for content in mailbox.contents(name))
    entries = [e for e in archive.export() if e["in_mailbox"]]
    have = sorted(digest((archive.folder / "export" / e["path"]).read_bytes()) for e in entries)
    row("imap", "missing", len(set(there) - set(have)), "0", set(there) == set(have) and len(there) == len(have))
    row("imap", "stored MB", f"{size_of(archive.folder / 'archive') / 1e6:.0f}")
    if mbsync:
        kept = [p.read_bytes() for p in (folder / "maildir").rglob("*") if p.parent.name in ("cur", "new")]
        marked = sum(1 for content in kept if b"X-TUID:" in content)
        row("mbsync", "missing, stored MB, marked", f"{len(set(there) - {digest(c) for c in kept})}, "
            f"{size_of(folder / 'maildir') / 1e6:.0f}, {marked}")
    mailbox.close()
