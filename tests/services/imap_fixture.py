#!/usr/bin/env python3
"""Makes mailboxes on a real Dovecot for one check of the conformance suite, and changes them on request, as
openarchiver/testkit/fixture_program.hpp says.

  imap_fixture.py DOVECOT.JSON stable|objectid|gmail|uid [CAPABILITY...]

`objectid` and `gmail`: the server seems to name messages in this way. The capabilities are hidden from the provider.
"""
import json
import sys

from imap_mailbox import Mailbox, Server, message
from imap_proxy import GMAIL, OBJECTID, ImapProxy, answer

server = Server(sys.argv[1])
ids = "uid" if sys.argv[2] == "uid" else "stable"
names = {"objectid": OBJECTID, "gmail": GMAIL}.get(sys.argv[2])
proxy = ImapProxy("127.0.0.1", server.port, hide=sys.argv[3:], names=names)
anna = server.new_user("anna")
mailbox = None


def start():
    global mailbox
    proxy.__enter__()
    mailbox = Mailbox(server, anna)
    for folder in ("Projects/2024/Rome", "Entw&APw-rfe", "a \\\"quoted\\\" name", "Empty"):
        mailbox.make(folder)
    for number in range(1, 21):
        mailbox.append("INBOX", message(number))
    mailbox.append("INBOX", b"no header at all\r\n")
    for number in range(30, 34):
        mailbox.append("Projects/2024/Rome", message(number))
    mailbox.append("Entw&APw-rfe", message(40, "x" * 100_000))
    mailbox.append("a \\\"quoted\\\" name", message(50))
    mailbox.delete("INBOX", "4,9:11")
    return {"host": "127.0.0.1", "port": proxy.port, "security": "none", "user": anna, "item_ids": ids}


def new_uid_validity():
    mailbox.imap.unselect()
    server.doveadm("mailbox", "update", "-u", anna, "--uid-validity", "2000000001", "INBOX")


def silence():
    proxy.silent = True


CHANGES = {
    "item_added a message arrives": lambda: mailbox.append("INBOX", message(60)),
    "item_added a message arrives in a new folder":
        lambda: (mailbox.make("Later"), mailbox.append("Later", message(61))),
    "item_removed a message is deleted": lambda: mailbox.delete("INBOX", "7"),
    "item_removed the last message is deleted": lambda: mailbox.delete("Projects/2024/Rome", "4"),
    "item_removed the only message is deleted": lambda: mailbox.delete("Entw&APw-rfe", "1"),
    "nothing a message is read": lambda: mailbox.flag("INBOX", "7"),
    "nothing a message comes and goes between two looks":
        lambda: (mailbox.append("INBOX", message(62)), mailbox.delete("INBOX", mailbox.uids("INBOX")[-1])),
    "item_broken the server can't give a message":
        lambda: proxy.rule(r"UID FETCH 8 .*BODY", answer("NO [CORRUPTION] it is damaged"), times=99),
    "outage the server is down": proxy.break_down,
    "silence the server takes commands and says nothing": silence,
}
if ids == "stable":
    CHANGES |= {
        "item_moved a message is moved to another folder": lambda: mailbox.move("INBOX", "7", "Projects/2024/Rome"),
        "item_placed a message is copied to another folder": lambda: mailbox.copy("INBOX", "7", "Empty"),
        "nothing a message is copied within its folder": lambda: mailbox.copy("INBOX", "7", "INBOX"),
        "cursors_expired a folder gets another UIDVALIDITY": new_uid_validity,
    }
if ids == "stable" and names != GMAIL:
    CHANGES["nothing a folder is renamed"] = lambda: mailbox.rename("Projects/2024/Rome", "Rome")

for line in sys.stdin:
    request, _, name = line.rstrip("\n").partition(" ")
    if request == "start":
        print("config", json.dumps(start()))
        print("secret /password", server.password)
        for change in CHANGES:
            print("change", change)
        for kind, unknown in (("item", "U1.1./INBOX"), ("item", "U1.1.nowhere"), ("item", "Dno-such-id"),
                              ("item", "no-such-id"), ("folder", "no-such-id"), ("folder", "/%0D%0AA9 LOGOUT"),
                              ("account", "no-such-id")):
            print("unknown", kind, unknown)
        print("ready", flush=True)
    elif request == "apply":
        next(change for known, change in CHANGES.items() if known.endswith(" " + name))()
        print("done", flush=True)
mailbox.close()
