"""A timestamp authority (RFC 3161) on the loopback interface: OpenSSL behind an HTTP server."""

import http.server
import pathlib
import subprocess
import threading

CONFIG = """
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[signer]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
serial = {folder}/serial
signer_cert = {folder}/signer.pem
certs = {folder}/ca.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_alg = sha256
"""


def openssl(*arguments, folder):
    subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)


class TimestampAuthority:
    """A context manager. `answer` may be replaced: it gets the query and returns the reply."""

    def __init__(self, folder, name="Test TSA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.ca_file = self.folder / "ca.pem"
        (self.folder / "serial").write_text("01\n")
        (self.folder / "tsa.cnf").write_text(CONFIG.format(folder=self.folder))
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
                "ca.pem", "-days", "30", "-subj", f"/CN={name} CA", folder=self.folder)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "signer.key", "-out",
                "signer.csr", "-subj", f"/CN={name}", folder=self.folder)
        openssl("x509", "-req", "-in", "signer.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "30", "-extfile", "tsa.cnf", "-extensions", "signer",
                "-out", "signer.pem", folder=self.folder)
        self.queries = []
        self.answer = self.reply

    def reply(self, query):
        (self.folder / "query.tsq").write_bytes(query)
        openssl("ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.tsq",
                "-out", "reply.tsr", folder=self.folder)
        return (self.folder / "reply.tsr").read_bytes()

    def query(self, data, *options):
        """A query of another's."""
        (self.folder / "data").write_bytes(data)
        openssl("ts", "-query", "-data", "data", "-sha256", "-cert", *options, "-out",
                "other.tsq", folder=self.folder)
        return (self.folder / "other.tsq").read_bytes()

    def __enter__(self):
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.queries.append((self.headers["Content-Type"], query))
                reply = authority.answer(query)
                self.send_response(200 if reply is not None else 503)
                body = reply or b""
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/tsa"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
