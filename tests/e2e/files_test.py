"""Mail in files: mbox, zip and tar, PST, watched folders; broken, hostile and odd ones."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import unittest
import zipfile

from harness import CORPUS, Archive, ArchiverTest, running, wait_until

FROM = b"From ada@contoso.example Fri Jul  8 12:08:34 2011\n"
NOBODY = 65534


def message(name, size=400):
    return (f"From: ada@contoso.example\nSubject: {name}\nMessage-ID: <{name}@contoso.example>\n\n"
            + "text " * (size // 5) + "\n").encode()


def entry(content):
    return FROM + content + b"\n"


def mbox(contents):
    return b"".join(entry(content) for content in contents)


def digests(contents):
    return sorted(hashlib.sha256(content).hexdigest() for content in contents)


class FilesTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.archive = Archive(self.folder / "site", {"paths": [str(self.mail)], "settle_seconds": 0},
                               provider="mailfiles")

    def configure(self, **changes):
        self.archive.profile["sources"][0]["config"].update(changes)
        self.archive.write_profile()

    def here(self):
        """The newest version of what is in the mailbox."""
        newest = {}
        for line in self.fresh_export(self.archive):
            if line["in_mailbox"] and line["version"] >= newest.get(line["item"], line)["version"]:
                newest[line["item"]] = line
        return list(newest.values())

    def assert_here(self, contents):
        self.assertEqual(sorted(line["sha256"] for line in self.here()), digests(contents))

    def failures(self, expect=1):
        return self.archive.json("failures", expect=expect)["failures"]

    def left_unpacked(self):
        folder = self.archive.folder / "catalog" / "state"
        return [path for path in folder.rglob("unpacked/*")] if folder.exists() else []


class MboxTest(FilesTest):
    def test_a_mailbox_that_grows_and_is_rewritten_is_not_archived_twice(self):
        messages = [message(f"m{number}") for number in range(300)]
        inbox = self.mail / "inbox.mbox"
        inbox.write_bytes(mbox(messages[:200]))
        self.assertEqual(self.archive.sync()["items"]["new"], 200)
        self.assertEqual(self.archive.sync()["items"]["new"], 0)
        with inbox.open("ab") as file:  # as a delivery does
            file.write(mbox(messages[200:]))
        items = self.archive.sync()["items"]
        self.assertEqual((items["new"], items["changed"], items["left"]), (100, 0, 0))
        # As mail programs do: flags change, messages go, an order of their own.
        kept = [FROM + b"Status: RO\nX-UID: %d\n" % number + content + b"\n"
                for number, content in enumerate(messages) if number % 3]
        random.Random(1).shuffle(kept)
        inbox.write_bytes(b"".join(kept))
        items = self.archive.sync()["items"]
        self.assertEqual((items["new"], items["changed"], items["left"]), (0, 0, 100))
        # A year later in another file.
        inbox.rename(self.mail / "2011")
        items = self.archive.sync()["items"]
        self.assertEqual((items["new"], items["changed"], items["moved"]), (0, 0, 200))
        self.assert_here([content for number, content in enumerate(messages) if number % 3])
        self.archive.run("verify")

    def test_the_four_dialects_come_back_bit_for_bit(self):
        original = b"Subject: a\n\nhello\n\nFrom here on\n>From there\n\nend\n"
        quoted_o = original.replace(b"\nFrom here", b"\n>From here")
        quoted_rd = quoted_o.replace(b"\n>From there", b"\n>>From there")
        length = b"Content-Length: %d\n" % len(original.split(b"\n\n", 1)[1])
        length_o = b"Content-Length: %d\n" % len(quoted_o.split(b"\n\n", 1)[1])
        cases = {"mboxo": (quoted_o, quoted_o), "mboxrd": (quoted_rd, original),
                 "mboxcl": (length_o + quoted_o, length_o + quoted_o),
                 "mboxcl2": (length + original, length + original)}
        for dialect, (written, expected) in cases.items():
            with self.subTest(dialect):
                folder = self.folder / dialect
                folder.mkdir()
                (folder / "inbox.mbox").write_bytes(mbox([written, message("b")]))
                self.archive = Archive(self.folder / f"site-{dialect}",
                                       {"paths": [str(folder)], "settle_seconds": 0,
                                        "mbox_dialect": dialect}, provider="mailfiles")
                self.archive.sync()
                self.assert_here([expected, message("b")])
        line = next(one for one in self.here() if one["subject"] == "a")
        self.assertEqual(line["properties"]["mbox_from"], FROM[5:-1].decode())
        self.assertEqual(line["received_at"][:19], "2011-07-08T12:08:34")

    def test_a_killed_import_goes_on(self):
        messages = [message(f"m{number}", 20_000) for number in range(3000)]
        (self.mail / "inbox.mbox").write_bytes(mbox(messages))
        rng = random.Random(3)
        for _ in range(4):
            process = self.archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                time.sleep(rng.uniform(0.1, 0.8))
                process.send_signal(signal.SIGKILL)
        self.archive.sync()
        self.assert_here(messages)
        self.archive.run("verify")

    def test_a_mailbox_that_goes_on_growing_is_archived_but_for_its_last_message(self):
        self.configure(settle_seconds=2)
        inbox = self.mail / "inbox.mbox"
        inbox.write_bytes(mbox([message("a"), message("b")]) + FROM + message("c")[:50])
        with inbox.open("ab") as end:
            appender = subprocess.Popen(
                ["/bin/sh", "-c", "while :; do printf x; sleep 0.2; done"], stdout=end)
        with running(appender):
            self.assertEqual(self.archive.sync()["items"]["new"], 2)
        inbox.write_bytes(mbox([message("a"), message("b"), message("c")]))
        self.assertEqual(self.archive.sync()["items"]["new"], 1)
        self.assert_here([message("a"), message("b"), message("c")])

    def test_bytes_that_are_no_message_are_reported_and_the_rest_is_archived(self):
        inbox = self.mail / "inbox.mbox"
        rubbish = b"this was no mbox at first\n\n"
        good = [message(f"m{number}") for number in range(5)]
        content = rubbish + mbox(good[:3])
        position = len(content)
        inbox.write_bytes(content + FROM + b"\n" + mbox(good[3:]))
        report = self.archive.sync(expect=1)
        self.assertEqual((report["items"]["new"], report["items"]["failed"]), (5, 2))
        self.assertEqual({failure["message"].split(":")[0] for failure in self.failures()},
                         {"inbox.mbox@0", f"inbox.mbox@{position}"})
        self.assert_here(good)
        self.archive.run("failures", "--retry", expect=1)
        self.assertEqual(len(self.failures()), 2)
        inbox.write_bytes(mbox(good))  # somebody repaired it
        self.archive.run("failures", "--retry", expect=None)
        self.assertEqual(self.failures(expect=0), [])


class ArchivesTest(FilesTest):
    def write_zip(self, name, entries, compression=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(self.mail / name, "w", compression) as archive:
            for path, content in entries.items():
                archive.writestr(path, content)

    def test_zip_and_tar_of_mail(self):
        self.write_zip("takeout.zip", {
            "Takeout/Mail/All mail.mbox": mbox([message("z1"), message("z2")]),
            "Takeout/Mail/\u00e4.eml": message("z3"), "Takeout/notes.txt": b"no mail",
            "bob/cur/1700000001.host:2,S": message("z4"), "bob/new/1700000002.host": message("z5")})
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as nested:
            nested.writestr("deep/deep.mbox", mbox([message("n1")]))
        for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz"), ("c.tar.xz", "w:xz"), ("d.tbz2", "w:bz2")):
            with tarfile.open(self.mail / name, mode) as archive:
                for path, content in {f"x/{name}.eml": message(f"{name}-1"), "x/Inbox": mbox([message(f"{name}-2")]),
                                      "inner.zip": inner.getvalue()}.items():
                    info = tarfile.TarInfo(path)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
        (self.mail / "list.mbox.gz").write_bytes(gzip.compress(mbox([message("g1"), message("g2")])))
        expected = [message(f"z{n}") for n in range(1, 6)] + [message("g1"), message("g2"), message("n1")]
        for name in ("a.tar", "b.tar.gz", "c.tar.xz", "d.tbz2"):
            expected += [message(f"{name}-1"), message(f"{name}-2")]
        self.archive.sync()
        self.assert_here(expected)
        folders = {"/".join(line["folders"][0]): line["subject"] for line in self.here()}
        self.assertEqual(folders["mail/takeout.zip/Takeout/Mail"], "z3")
        self.assertIn("mail/takeout.zip/Takeout/Mail/All mail.mbox", folders)
        self.assertEqual(self.left_unpacked(), [])
        again = self.archive.sync()["items"]
        self.assertEqual((again["new"], again["changed"], again["left"]), (0, 0, 0))
        # What did not change is not even opened.
        traced = subprocess.run(
            ["strace", "-f", "-e", "trace=mkdir,mkdirat", *self.archive.command("sync")],
            capture_output=True, text=True, timeout=300)
        self.assertNotIn("unpacked", traced.stderr)
        (self.mail / "a.tar").unlink()
        self.assertEqual(self.archive.sync()["items"]["left"], 3)  # one of them is in others as well
        self.assert_here([one for one in expected if one not in (message("a.tar-1"), message("a.tar-2"))])

    def test_damage_costs_what_is_damaged_and_says_where(self):
        contents = {f"{number}.eml": message(f"m{number}", 3000) for number in range(9)}
        contents["inbox.mbox"] = mbox([message(f"b{number}", 3000) for number in range(20)])
        for name, compression in (("stored.zip", zipfile.ZIP_STORED), ("packed.zip", zipfile.ZIP_DEFLATED)):
            self.write_zip(name, contents, compression)
            with zipfile.ZipFile(self.mail / name) as archive:
                victim = archive.getinfo("4.eml")
            data = bytearray((self.mail / name).read_bytes())
            at = victim.header_offset + 30 + len(victim.filename)
            data[at + 10:at + 20] = b"\xff" * 10
            (self.mail / name).write_bytes(data)
        report = self.archive.sync(expect=1)
        failures = {failure["message"].split("@")[0]: failure for failure in self.failures()}
        self.assertEqual(set(failures), {"stored.zip:4.eml", "packed.zip:4.eml"}, failures)
        self.assertTrue(all(failure["code"] == "corrupt" for failure in failures.values()))
        whole = [content for name, content in contents.items() if name not in ("4.eml", "inbox.mbox")]
        whole += [message(f"b{number}", 3000) for number in range(20)]
        # The messages of both mbox files are the same items, in two folders.
        self.assert_here(whole[8:] + whole[:8] * 2)
        self.assertEqual(report["items"]["failed"], 2)

    def test_an_archive_that_was_cut_short(self):
        messages = [message(f"b{number}", 30_000) + random.Random(number).randbytes(20_000).hex().encode() + b"\n"
                    for number in range(100)]
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w:gz") as archive:
            content = mbox(messages)
            info = tarfile.TarInfo("inbox.mbox")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        (self.mail / "backup.tar.gz").write_bytes(whole.getvalue()[:len(whole.getvalue()) // 2])
        report = self.archive.sync(expect=1)
        self.assertGreater(report["items"]["new"], 30)
        found = [line["sha256"] for line in self.here()]
        self.assertEqual(sorted(found), sorted(digests(messages[:len(found)])))
        self.assertTrue(any(failure["message"].startswith("backup.tar.gz:inbox.mbox@")
                            for failure in self.failures()), self.failures())
        (self.mail / "backup.tar.gz").write_bytes(whole.getvalue())
        self.archive.sync(expect=None)
        self.assert_here(messages)

    def test_what_is_no_archive_fails_alone(self):
        (self.mail / "broken.zip").write_bytes(random.Random(1).randbytes(5000))
        (self.mail / "empty.tar").write_bytes(b"")
        (self.mail / "good.mbox").write_bytes(mbox([message("a")]))
        self.assertEqual(self.archive.sync(expect=1)["items"]["new"], 1)
        failure, = [one for one in self.failures() if one["folder"][-1] == "broken.zip"]
        self.assertEqual((failure["kind"], failure["code"]), ("folder", "corrupt"))
        self.assertIn("broken.zip", failure["message"])

    def test_hostile_archives(self):
        deep = message("deepest")
        for _ in range(6):
            inner = io.BytesIO()
            with zipfile.ZipFile(inner, "w") as archive:
                archive.writestr("next.zip" if deep[:2] == b"PK" else "deepest.eml", deep)
            deep = inner.getvalue()
        (self.mail / "matryoshka.zip").write_bytes(deep)
        with zipfile.ZipFile(self.mail / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("small.eml", message("before the bomb"))
            with archive.open("bomb.mbox", "w") as bomb:
                bomb.write(entry(message("in the bomb")) + FROM + b"Subject: zeros\n\n")
                for _ in range(300):
                    bomb.write(bytes(1 << 20))
        with tarfile.open(self.mail / "links.tar", "w") as archive:
            for name, kind, target in (("passwd.eml", tarfile.SYMTYPE, "/etc/passwd"),
                                       ("hard.eml", tarfile.LNKTYPE, "/etc/passwd"),
                                       ("folder", tarfile.SYMTYPE, "/tmp"),
                                       ("pipe.eml", tarfile.FIFOTYPE, "")):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                archive.addfile(info)
            for name in ("folder/through-a-link.eml", "../../../outside.eml", "/absolute.eml", "a/./b//c.eml",
                         "n" * 255 + ".eml"):
                info = tarfile.TarInfo(name)
                content = message(f"named {len(name)}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        outside = set(self.folder.rglob("*outside*"))
        self.archive.sync(expect=1)
        self.assertEqual(outside, set(self.folder.rglob("*outside*")))
        subjects = {line["subject"] for line in self.here()}
        self.assertLessEqual({"before the bomb", "named 25", "named 20", "named 13", "named 12", "named 259"}, subjects)
        self.assertNotIn("deepest", subjects)
        reasons = "\n".join(failure["message"] for failure in self.failures())
        self.assertIn("250 times its size", reasons)
        self.assertIn("3 archives deep", reasons)
        self.assertEqual(self.left_unpacked(), [])

    def test_a_killed_import_leaves_no_unpacked_archive_behind(self):
        messages = {f"{number}.eml": message(f"m{number}", 20_000) for number in range(2000)}
        self.write_zip("export.zip", messages)
        for _ in range(3):
            process = self.archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                wait_until(lambda: process.poll() is not None or self.left_unpacked(), what="unpacking")
                time.sleep(0.3)
                process.send_signal(signal.SIGKILL)
        self.assertNotEqual(self.left_unpacked(), [], "never killed while unpacked: nothing was tested")
        self.archive.sync()
        self.assert_here(messages.values())
        self.assertEqual(self.left_unpacked(), [])


FAKE_READPST = """#!/bin/sh
# readpst -e -D -j 0 -o FOLDER FILE
folder=$6
mkdir -p "$folder/Personal Folders/Inbox"
n=0
say() { n=$((n + 1)); printf 'Subject: %s\\n\\ntext\\n' "$1" > "$folder/Personal Folders/Inbox/$n.eml"; sleep 0.02; }
"""


class PstTest(FilesTest):
    def setUp(self):
        super().setUp()
        (self.mail / "old.pst").write_bytes(b"!BDN" + bytes(1000))

    def readpst(self, script, **changes):
        program = self.folder / "readpst"
        program.write_text(FAKE_READPST + script)
        program.chmod(0o755)
        self.configure(readpst=str(program), **changes)

    def real(self):
        if not shutil.which("readpst"):
            self.skipTest("readpst is not installed (pst-utils)")

    def test_a_real_pst(self):
        self.real()
        files = sorted(pathlib.Path(CORPUS, "pst").glob("*.pst")) if CORPUS else []
        if not files:
            self.skipTest("OPENARCHIVER_TEST_CORPUS names no folder with pst/*.pst")
        (self.mail / "old.pst").unlink()
        for file in files:
            shutil.copyfile(file, self.mail / file.name.rsplit("__", 1)[1])
        report = self.archive.sync(expect=None)
        self.assertGreater(report["items"]["new"], 0)
        for line in self.here():
            self.assertEqual(line["properties"], {"reconstructed_by": "readpst"})
            self.assertIn(".pst", line["folders"][0][1])
        again = self.archive.sync(expect=None)["items"]
        self.assertEqual((again["new"], again["changed"], again["left"]), (0, 0, 0))
        # What readpst passes over is no secret.
        self.assertTrue(any("left out" in failure["message"] for failure in self.failures(expect=None)))
        self.assertEqual(self.left_unpacked(), [])

    def test_the_real_readpst_refuses_rubbish(self):
        self.real()
        (self.mail / "a.eml").write_bytes(message("a"))
        self.assertEqual(self.archive.sync(expect=1)["items"]["new"], 1)
        failure, = self.failures()
        self.assertEqual((failure["kind"], failure["code"]), ("folder", "corrupt"))
        self.assertIn("old.pst: readpst can't read it", failure["message"])

    def test_messages_are_known_by_what_is_in_them(self):
        self.readpst("""
for i in 1 2 3; do say $i; done
printf '\\t"Inbox" - 3 items done, 2 items skipped.\\n'
""")
        report = self.archive.sync(expect=1)
        self.assertEqual(report["items"]["new"], 3)
        failure, = self.failures()
        self.assertEqual(failure["message"],
                         "old.pst@1: readpst left out 2 items that it can't convert (Inbox: 2)")
        # Others have other numbers now, and the boundary another random number.
        self.readpst("""
for i in new 2 3; do say $i; done
""")
        with (self.mail / "old.pst").open("ab") as file:
            file.write(b"more")
        items = self.archive.sync(expect=None)["items"]
        self.assertEqual((items["new"], items["changed"], items["left"]), (1, 0, 1))
        folders = {tuple(line["folders"][0]) for line in self.here()}
        self.assertEqual(folders, {("mail", "old.pst", "Personal Folders", "Inbox")})

    def assert_fails(self, reason, archived=0):
        started = time.monotonic()
        report = self.archive.sync(expect=1)
        self.assertLess(time.monotonic() - started, 60)
        self.assertEqual(report["items"]["new"], archived)
        self.assertIn(reason, "\n".join(failure["message"] for failure in self.failures()))
        self.assertEqual(self.left_unpacked(), [])

    def test_without_readpst(self):
        self.configure(readpst="/no/such/readpst")
        self.assert_fails("install pst-utils")
        checks = self.archive.json("source", "check", "contoso")["checks"]
        check = next(check for check in checks if check["name"] == "readpst found")
        self.assertEqual(check["outcome"], "unknown")

    def test_a_readpst_that_hangs_is_ended_with_what_it_started(self):
        marker = f"{time.time_ns() % 10**9}"
        self.readpst(f"say a; say b; sleep {marker} & sleep {marker}", readpst_seconds=2)
        self.assert_fails("did not end within 2 s", archived=1)
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        self.assertNotIn(f"sleep {marker}", processes)

    def test_a_readpst_that_crashes(self):
        self.readpst("say a; say b; say c; kill -SEGV $$")
        self.assert_fails("signal 11", archived=2)

    def test_a_readpst_that_fails(self):
        self.readpst("echo 'Error opening File' >&2; exit 1")
        self.assert_fails("ended with code 1 (Error opening File)")

    def test_a_readpst_that_wants_too_much_memory(self):
        self.readpst("exec /usr/bin/python3 -c 'bytearray(1 << 30)'", readpst_memory_mib=256)
        self.assert_fails("MemoryError")

    def test_a_readpst_that_writes_rubbish(self):
        self.readpst("""
say good
head -c 100000 /dev/urandom > "$folder/Personal Folders/Inbox/9.eml"
head -c 3000000 /dev/urandom
ln -s /etc/passwd "$folder/Personal Folders/Inbox/8.eml"
mkfifo "$folder/Personal Folders/Inbox/7.eml"
ln -s .. "$folder/Personal Folders/loop"
""")
        self.assertEqual(self.archive.sync(expect=None)["items"]["new"], 2)
        self.assertEqual(self.left_unpacked(), [])

    def test_a_readpst_has_no_network_and_none_of_our_environment(self):
        self.readpst("""
/usr/bin/python3 - <<'END' > "$folder/Personal Folders/Inbox/1.eml" 2>&1
import os, socket
print("Subject:", sorted(os.environ))
print()
print(sorted(os.listdir("/proc/self/fd")))
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError as error:
    print(error)
END
""")
        os.environ["OPENARCHIVER_TEST_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "OPENARCHIVER_TEST_SECRET")
        self.archive.sync()
        line, = self.here()
        content = self.archive.run("show", line["ref"], "--raw").stdout.decode()
        self.assertIn("Permission denied", content)
        self.assertNotIn("TEST_SECRET", content)


class WatchTest(FilesTest):
    def serve(self):
        self.archive.profile["sources"][0]["schedule"]["every"] = "1d"
        self.archive.profile["service"] = {"listen": "127.0.0.1:0"}
        self.archive.write_profile()
        process = self.archive.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: self.status() in ("active", "attention"), what="the first run")
        return process

    def source(self):
        done = self.archive.run("--json", "source", "list", expect=None)
        return json.loads(done.stdout)["sources"][0] if done.returncode == 0 else {}

    def status(self):
        return self.source().get("status")

    def items(self):
        return self.source().get("items")

    def test_what_is_dropped_into_a_folder_is_archived_within_seconds(self):
        (self.mail / "sub").mkdir()
        for name in ("cur", "new", "tmp"):
            (self.mail / "box" / name).mkdir(parents=True)
        self.configure(account="ada", settle_seconds=1)
        (self.mail / "inbox.mbox").write_bytes(mbox([message("a")]))
        self.serve()
        count = self.items()
        self.assertEqual(count, 1)

        def arrives(write, more=1):
            nonlocal count
            started = time.monotonic()
            write()
            count += more
            wait_until(lambda: self.items() == count, what="what arrived")
            print(f"archived after {time.monotonic() - started:.1f} s")

        arrives(lambda: (self.mail / "sub" / "b.eml").write_bytes(message("b")))
        with (self.mail / "inbox.mbox").open("ab") as file:
            arrives(lambda: (file.write(entry(message("c"))), file.close()))
        elsewhere = self.folder / "elsewhere.zip"
        with zipfile.ZipFile(elsewhere, "w") as archive:
            archive.writestr("d.eml", message("d"))
        arrives(lambda: elsewhere.rename(self.mail / "d.zip"))
        (self.mail / "box" / "tmp" / "1.host").write_bytes(message("e"))
        arrives(lambda: os.link(self.mail / "box" / "tmp" / "1.host", self.mail / "box" / "new" / "1.host"))

        def make_folder():
            (self.mail / "new folder" / "deeper").mkdir(parents=True)
            (self.mail / "new folder" / "deeper" / "f.eml").write_bytes(message("f"))
        arrives(make_folder)
        self.assert_here([message(name) for name in "abcdef"])

    def test_a_file_that_is_still_written_is_left_until_it_is_complete(self):
        self.configure(settle_seconds=2)
        (self.mail / "a.eml").write_bytes(message("a"))
        self.serve()
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            for number in range(20):
                archive.writestr(f"{number}.eml", message(f"z{number}"))
        pieces = {"slow.eml": message("slow", 4000), "slow.zip": whole.getvalue()}
        files = {name: (self.mail / name).open("wb", buffering=0) for name in pieces}
        for step in range(16):
            for name, content in pieces.items():
                part = len(content) // 16 + 1
                files[name].write(content[step * part:(step + 1) * part])
            time.sleep(0.5)
            self.assertEqual(self.items(), 1)
        for file in files.values():
            file.close()
        wait_until(lambda: self.items() == 22, what="the complete files")
        self.assert_here([message("a"), message("slow", 4000)] + [message(f"z{n}") for n in range(20)])
        self.assertEqual({line["version"] for line in self.fresh_export(self.archive)}, {1})


class OddFilesTest(FilesTest):
    def test_odd_files(self):
        os.symlink(".", self.mail / "loop")
        os.symlink(self.mail / "inbox.mbox", self.mail / "link.mbox")
        os.symlink("/no/such/file", self.mail / "dangling.zip")
        for name in ("pipe.mbox", "pipe.zip", "pipe.eml", "pipe"):
            os.mkfifo(self.mail / name)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
            bound.bind(str(self.mail / "socket.mbox"))
            (self.mail / "inbox.mbox").write_bytes(mbox([message("a")]))
            (self.mail / "empty.mbox").write_bytes(b"")
            (self.mail / "empty.eml").write_bytes(b"")
            (self.mail / "nothing").write_bytes(b"")
            latin = os.fsencode(self.mail) + b"/caf\xe9"
            os.mkdir(latin)
            with open(latin + b"/\xff\xfe.mbox", "wb") as file:
                file.write(mbox([message("latin")]))
            with open(latin + b"/50%\n.eml", "wb") as file:
                file.write(message("percent"))
            crlf = message("crlf").replace(b"\n", b"\r\n")
            (self.mail / "crlf.mbox").write_bytes(entry(b"Subject: x\n\nlf\n") +
                                                  FROM.replace(b"\n", b"\r\n") + crlf + b"\r\n")
            long = b"Subject: long\n\n" + b"x" * 30_000_000 + b"\n"
            (self.mail / "long.mbox").write_bytes(mbox([long, message("after")]))
            (self.mail / "no-newline.mbox").write_bytes(FROM + b"Subject: n\n\nno end")
            sparse = self.mail / "sparse"
            with sparse.open("wb") as file:
                file.truncate(1 << 40)
            self.archive.sync()
        self.assert_here([message("a"), b"", message("latin"), message("percent"), b"Subject: x\n\nlf\n", crlf,
                          long, message("after"), b"Subject: n\n\nno end"])
        self.assertEqual(self.archive.sync()["items"]["new"], 0)

    def test_what_the_user_may_not_read_fails_alone(self):
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            self.skipTest("setpriv is not installed")
        (self.mail / "good.mbox").write_bytes(mbox([message("a")]))
        for name in ("closed.mbox", "closed.zip", "closed.pst"):
            (self.mail / name).write_bytes(mbox([message("secret")]))
        (self.mail / "closed").mkdir()
        self.archive.folder.mkdir(exist_ok=True)
        for path in self.mail.iterdir():
            if path.name.startswith("closed"):
                path.chmod(0)
        self.folder.chmod(0o755)
        self.mail.chmod(0o755)
        self.addCleanup((self.mail / "closed").chmod, 0o700)
        command = self.archive.command("--json", "sync")
        if os.geteuid() == 0:
            for path in [self.archive.folder, *self.archive.folder.iterdir()]:
                os.chown(path, NOBODY, NOBODY)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 1, done.stderr.decode())
        failed = {failure["folder"][-1]: failure["message"] for failure in self.failures()}
        self.assertEqual(set(failed), {"closed.mbox", "closed.zip", "closed.pst", "closed"})
        self.assertTrue(all("let the user that runs the engine read it" in text for text in failed.values()), failed)
        self.assert_here([message("a")])


if __name__ == "__main__":
    unittest.main()
