"""A proxy in front of a real IMAP server that does to chosen commands what networks and servers do. The server stays
real: what is not faulted passes unchanged."""

import re
import socket
import ssl
import threading
import time


class Rule:
    """Done to commands that match, after the first `after` of them, `times` times."""

    def __init__(self, pattern, action, after=0, times=1):
        self.pattern = re.compile(pattern.encode(), re.IGNORECASE)
        self.action, self.after, self.times = action, after, times
        self.seen = self.done = 0


# How other servers name messages and folders for good: capability, FETCH item, STATUS item.
OBJECTID = (b"OBJECTID", rb"EMAILID (\1)", rb"MAILBOXID (\1)")
GMAIL = (b"X-GM-EXT-1", rb'X-GM-MSGID \1 X-GM-LABELS (\\Inbox "Caf&AOk-, 1")', None)


class ImapProxy:
    """A context manager. `hide`: capabilities that the client does not get to see. `names`: OBJECTID or GMAIL, to
    have Dovecot's own ids look like theirs."""

    def __init__(self, host, port, hide=(), names=None, certificate=None, key=None):
        self.upstream = (host, port)
        self.names = names
        self.hide = [name.encode() for name in hide]
        self.rules, self.commands, self.open = [], [], set()
        self.down = self.silent = False
        self.lock = threading.Lock()
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.break_down()

    def rule(self, pattern, action, **how):
        rule = Rule(pattern, action, **how)
        with self.lock:
            self.rules.append(rule)
        return rule

    def count(self, pattern):
        with self.lock:
            return sum(1 for line in self.commands if re.search(pattern.encode(), line, re.IGNORECASE))

    def break_down(self):
        """Refuses connections from now on, and ends those that there are."""
        self.down = True
        with self.lock:
            connections = list(self.open)
        for connection in connections:
            connection.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(self.upstream, 30)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        connection = Connection(self, client, server)
        with self.lock:
            self.open.add(connection)
        connection.run()
        with self.lock:
            self.open.discard(connection)

    def action_for(self, line):
        with self.lock:
            self.commands.append(line)
            for rule in self.rules:
                if rule.pattern.search(line):
                    rule.seen += 1
                    if rule.seen > rule.after and rule.done < rule.times:
                        rule.done += 1
                        return rule.action
        return None


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.left = None  # bytes of the server that still pass before the connection is cut

    def close(self):
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def run(self):
        answers = threading.Thread(target=self.pump_answers, daemon=True)
        answers.start()
        try:
            self.pump_commands()
        except OSError:
            pass
        self.close()
        answers.join()
        self.client.close()
        self.server.close()

    def pump_commands(self):
        buffer = b""
        while data := self.client.recv(65536):
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                line += b"\n"
                while self.proxy.silent:
                    time.sleep(0.05)
                line = re.sub(rb"EMAILID|MAILBOXID|X-GM-MSGID", b"X-GUID", line) if self.proxy.names else line
                line = line.replace(b" X-GM-LABELS", b"")
                action = self.proxy.action_for(line)
                if action is None or action(self, line):
                    self.server.sendall(line)

    def renamed(self, data):
        """Whole lines only: what they tell may stand on the border of two parts."""
        while not data.endswith(b"\n"):
            more = self.server.recv(65536)
            if not more:
                break
            data += more
        capability, message, folder = self.proxy.names
        data = re.sub(rb"(?<=[ \[])ID(?= )", capability, data, count=1) if b"CAPABILITY" in data[:4096] else data
        data = re.sub(rb"(?m)^(\* STATUS .*)X-GUID (\w+)", lambda m: m[1] + (
            re.sub(rb"(.+)", folder, m[2]) if folder else b""), data)
        return re.sub(rb"(?m)^(\* \d+ FETCH \(UID .*)X-GUID (\w+)", lambda m: m[1] + re.sub(rb"(.+)", message, m[2]), data)

    def pump_answers(self):
        try:
            while data := self.server.recv(65536):
                if self.proxy.names:
                    data = self.renamed(data)
                if b"CAPABILITY" in data[:4096]:
                    for name in self.proxy.hide:
                        data = re.sub(rb"(?<=[ \[])" + re.escape(name) + rb"(?=[ \]\r])", b"X-HIDDEN", data)
                if self.left is not None:
                    data, self.left = data[:self.left], self.left - len(data)
                self.client.sendall(data)
                if self.left is not None and self.left <= 0:
                    break
        except OSError:
            pass
        self.close()


# What can be done to a command: true lets it pass.

def answer(text):
    """Answers in the server's place: `NO [CORRUPTION] no` gets the command's tag."""
    def action(connection, line):
        connection.client.sendall(line.split()[0] + b" " + text.encode() + b"\r\n")
        return False
    return action


def say(data):
    """Says this, and nothing more, in the server's place."""
    def action(connection, _):
        connection.client.sendall(data)
        return False
    return action


def cut(connection, _):
    connection.close()
    return False


def cut_answer_after(count):
    def action(connection, _):
        connection.left = count
        return True
    return action


def delay(seconds):
    def action(*_):
        time.sleep(seconds)
        return True
    return action


def first(do):
    """Does something else, before the command passes."""
    def action(*_):
        do()
        return True
    return action
