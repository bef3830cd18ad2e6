"""An HTTP proxy in front of a real S3 store that does to chosen requests what networks, clocks and
stores do. The store behind it stays real: what is not faulted reaches it unchanged."""

import contextlib
import dataclasses
import http.client
import http.server
import socket
import threading
import time
import urllib.parse


def error_body(code):
    return (f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
            f"<Message>{code} it is</Message><RequestId>faulted-1</RequestId></Error>").encode()


@dataclasses.dataclass
class Fault:
    """Done to the requests that match, after the first `after` of them, `times` times."""
    action: object
    method: str = ""
    key: str = ""  # begins so, without bucket and prefix; "?" is the listing
    after: int = 0
    times: int = 1
    seen: int = 0
    done: int = 0


class FaultingProxy:
    """A context manager. `config` is an s3 backend's, whose endpoint it takes the place of."""

    def __init__(self, config):
        self.upstream = urllib.parse.urlsplit(config["endpoint"])
        self.base = f"/{config['bucket']}/{config['prefix']}/"
        self.faults = []
        self.requests = []  # (method, key, status)
        self.lock = threading.Lock()
        self.later = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                with contextlib.suppress(ConnectionError, BrokenPipeError):
                    super().handle_one_request()

            def do_any(self):
                proxy.handle(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_any

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.config = {**config, "endpoint": f"http://127.0.0.1:{self.server.server_port}"}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        for thread in self.later:
            thread.join()

    def fault(self, action, **match):
        fault = Fault(action, **match)
        with self.lock:
            self.faults.append(fault)
        return fault

    def count(self, method="", key=""):
        with self.lock:
            return sum(1 for m, k, _ in self.requests
                       if m.startswith(method) and k.startswith(key))

    def key_of(self, path):
        path, _, query = path.partition("?")
        if query and "prefix" in query:
            return "?"
        return urllib.parse.unquote(path).removeprefix(self.base)

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        key = self.key_of(handler.path)
        action = None
        with self.lock:
            for fault in self.faults:
                if handler.command.startswith(fault.method) and key.startswith(fault.key):
                    fault.seen += 1
                    if action is None and fault.seen > fault.after and fault.done < fault.times:
                        fault.done += 1
                        action = fault.action
        exchange = Exchange(self, handler, body)
        status = (action or answer_as_it_is)(exchange)
        with self.lock:
            self.requests.append((handler.command, key, status))


class Exchange:
    """A request, and the ways to go on with it."""

    def __init__(self, proxy, handler, body):
        self.proxy, self.handler, self.body = proxy, handler, body

    def forward(self, body=None):
        """The store's answer: status, fields, body."""
        upstream = http.client.HTTPConnection(
            self.proxy.upstream.hostname, self.proxy.upstream.port, timeout=60)
        with contextlib.closing(upstream):
            headers = {n: v for n, v in self.handler.headers.items()
                       if n.lower() not in ("connection", "expect")}
            upstream.request(self.handler.command, self.handler.path,
                             body=self.body if body is None else body, headers=headers)
            answer = upstream.getresponse()
            fields = [(n, v) for n, v in answer.getheaders()
                      if n.lower() not in ("connection", "transfer-encoding", "content-length")]
            content = answer.read()
            length = answer.getheader("Content-Length") if self.handler.command == "HEAD" else None
            return answer.status, fields, content, length

    def answer(self, status, fields, content, length=None):
        handler = self.handler
        handler.send_response_only(status)
        for name, value in fields:
            handler.send_header(name, value)
        handler.send_header("Content-Length", length or str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
        return status

    def break_off(self):
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)
        return 0


# What can be done to a request.

def answer_as_it_is(exchange):
    return exchange.answer(*exchange.forward())


def say(status, code, **fields):
    """Answers in the store's place; the request does not reach it."""
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]

    def action(exchange):
        body = b"" if exchange.handler.command == "HEAD" else error_body(code)
        return exchange.answer(status, headers, body)
    return action


def lose_answer(exchange):
    """The store does what it was asked to; nobody learns of it."""
    exchange.forward()
    return exchange.break_off()


def lose_request(exchange):
    return exchange.break_off()


def tear_answer(exchange):
    """Half of the body, then the end of the connection."""
    status, fields, content, _ = exchange.forward()
    exchange.handler.send_response_only(status)
    for name, value in fields:
        exchange.handler.send_header(name, value)
    exchange.handler.send_header("Content-Length", str(len(content)))
    exchange.handler.end_headers()
    exchange.handler.wfile.write(content[:len(content) // 2])
    exchange.handler.wfile.flush()
    return exchange.break_off()


def flip_request(exchange):
    """A bit of what is to be stored changed on its way: the store checks its SHA-256."""
    changed = bytearray(exchange.body)
    if changed:
        changed[len(changed) // 2] ^= 1
    return exchange.answer(*exchange.forward(bytes(changed)))


def tear_request(exchange):
    """The store gets half of the body and the end of the connection."""
    upstream = socket.create_connection(
        (exchange.proxy.upstream.hostname, exchange.proxy.upstream.port), 60)
    with contextlib.closing(upstream):
        head = f"{exchange.handler.command} {exchange.handler.path} HTTP/1.1\r\n" + "".join(
            f"{n}: {v}\r\n" for n, v in exchange.handler.headers.items()
            if n.lower() != "expect") + "\r\n"
        upstream.sendall(head.encode() + exchange.body[:len(exchange.body) // 2])
    return exchange.break_off()


def wrong_etag(exchange):
    status, fields, content, length = exchange.forward()
    fields = [(n, '"0123456789abcdef0123456789abcdef"' if n.lower() == "etag" else v)
              for n, v in fields]
    return exchange.answer(status, fields, content, length)


def land_later(seconds, silent_for):
    """The client hears nothing for `silent_for` seconds; the request reaches the store after
    `seconds`."""
    def action(exchange):
        def land():
            time.sleep(seconds)
            exchange.forward()
        thread = threading.Thread(target=land)
        exchange.proxy.later.append(thread)
        thread.start()
        time.sleep(silent_for)
        return exchange.break_off()
    return action
