"""What a person does in a mailbox, on the Dovecot of dovecot.sh. Standard library only."""

import imaplib
import json
import pathlib
import subprocess
import uuid


class Server:
    def __init__(self, description):
        self.__dict__.update(json.loads(pathlib.Path(description).read_text()))

    def new_user(self, name="user"):
        return f"{name}-{uuid.uuid4().hex[:12]}@example.org"

    def doveadm(self, *arguments):
        subprocess.run(["doveadm", "-c", self.config, *arguments], check=True, capture_output=True)


class Mailbox:
    def __init__(self, server, user):
        self.server, self.user = server, user
        self.imap = imaplib.IMAP4("127.0.0.1", server.port)
        self.imap.login(user, server.password)

    def close(self):
        self.imap.logout()

    def ok(self, answer):
        if answer[0] != "OK":
            raise RuntimeError(answer)
        return answer[1]

    def make(self, folder):
        self.ok(self.imap.create(f'"{folder}"'))

    def rename(self, folder, to):
        self.ok(self.imap.rename(f'"{folder}"', f'"{to}"'))

    def remove_folder(self, folder):
        self.ok(self.imap.delete(f'"{folder}"'))

    def append(self, folder, content):
        self.ok(self.imap.append(f'"{folder}"', None, None, content))

    def select(self, folder):
        self.ok(self.imap.select(f'"{folder}"'))

    def uids(self, folder):
        self.select(folder)
        return self.ok(self.imap.uid("SEARCH", "ALL"))[0].decode().split()

    def contents(self, folder):
        """As the server has them, whole."""
        self.select(folder)
        answer = self.ok(self.imap.uid("FETCH", "1:*", "(BODY.PEEK[])"))
        return [part[1] for part in answer if isinstance(part, tuple)]

    def flag(self, folder, uid, flag="\\Seen"):
        self.select(folder)
        self.ok(self.imap.uid("STORE", uid, "+FLAGS", f"({flag})"))

    def delete(self, folder, uids):
        self.select(folder)
        self.ok(self.imap.uid("STORE", uids, "+FLAGS", "(\\Deleted)"))
        self.ok(self.imap.expunge())

    def move(self, folder, uid, to):
        self.select(folder)
        self.ok(self.imap.uid("MOVE", uid, f'"{to}"'))

    def copy(self, folder, uid, to):
        self.select(folder)
        self.ok(self.imap.uid("COPY", uid, f'"{to}"'))


def message(number, body="some text"):
    return (f"From: a@example.org\r\nTo: b@example.org\r\nMessage-ID: <{number}@example.org>\r\n"
            f"Subject: message {number}\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n{body} {number}\r\n").encode()
