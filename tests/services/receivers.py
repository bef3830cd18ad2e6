"""Who gets notifications in tests: a webhook's receiver, and a mail server (aiosmtpd)."""

import contextlib
import email
import email.policy
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Certificate:
    """Of an authority of its own, for `name`."""

    def __init__(self, folder, name="IP:127.0.0.1"):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True)
        self.ca_file = folder / "ca.pem"

        def openssl(*arguments):
            subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True,
                           capture_output=True)

        (folder / "names").write_text(f"subjectAltName={name}\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
                "ca.pem", "-days", "30", "-subj", "/CN=Test CA")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "server.csr",
                "-subj", "/CN=server")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "names", "-out", "server.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem", folder / "key.pem")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hook:
    """A webhook's receiver; a context manager. It answers with `status` and `fields`."""

    def __init__(self, certificate=None, port=0):
        self.requests = []  # (fields, body)
        self.status = 204
        self.fields = {}
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.requests.append((self.headers, body))
                self.send_response(hook.status)
                for name, value in hook.fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.handle_error = lambda *_: None  # handshakes that the client breaks off
        if certificate:
            self.server.socket = certificate.context.wrap_socket(self.server.socket,
                                                                 server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}/hook?to=ops"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def documents(self):
        return [json.loads(body) for _, body in list(self.requests)]

    def told(self):
        """"attention/local begun", ... in the order in which they came."""
        return [f"{one['condition']}/{one['subject']} {one['change']}"
                for document in self.documents() for one in document["conditions"]]


class MailServer:
    """A mail server on the loopback interface; a context manager. `security` as in the profile."""

    USER, PASSWORD = "archive", "correct horse battery staple " + "x" * 80

    def __init__(self, certificate=None, security="starttls", auth=True, port=None, **options):
        self.mails = []  # (envelope, parsed message)
        self.logins = []
        self.refused = {}  # address -> reply

        def authenticate(server, session, envelope, mechanism, data):
            self.logins.append((mechanism, session.ssl is not None))
            good = (data.login == self.USER.encode() and data.password == self.PASSWORD.encode())
            return AuthResult(success=good, handled=False)

        server = self

        class Handler:
            async def handle_RCPT(self, _, session, envelope, address, options):
                if address in server.refused:
                    return server.refused[address]
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, _, session, envelope):
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                server.mails.append((envelope, message))
                return "250 OK"

        if auth:
            options.update(authenticator=authenticate, auth_required=True,
                           auth_require_tls=security == "starttls")
        if security == "starttls":
            options.update(tls_context=certificate.context, require_starttls=True)
        elif security == "tls":
            options.update(ssl_context=certificate.context)
        self.port = port or free_port()
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=self.port, **options)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()


class Silent:
    """Takes connections and says nothing, or `words`; a context manager."""

    def __init__(self, words=b""):
        self.words = words
        self.heard = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = []

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                self.open.append(connection)
                connection.sendall(self.words)
                threading.Thread(target=self.listen, args=(connection,), daemon=True).start()
            except OSError:
                return

    def listen(self, connection):
        with contextlib.suppress(OSError):
            while words := connection.recv(65536):
                self.heard += words

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.open:
            connection.close()
        self.thread.join()
