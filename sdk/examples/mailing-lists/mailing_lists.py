#!/usr/bin/env python3
"""Reads the archives of a mailing-list server over HTTP, for OpenArchiver's provider `subprocess`.

The protocol is in docs/subprocess-provider.md; this program needs Python's standard library only. Its service:

    GET /lists                                  [{"id", "address", "name"}]
    GET /lists/LIST/folders                     [{"id", "name"}]
    GET /lists/LIST/folders/FOLDER?after=N      {"forgotten": N, "changes": [{"number", "message", "gone", "revision",
                                                 "received", "size"}]}, by number, at most 100
    GET /lists/LIST/messages/MESSAGE            its bytes
"""
import json
import sys
import urllib.error
import urllib.parse
import urllib.request

PIECE = 65536


class Failure(Exception):
    def __init__(self, code, message, **more):
        super().__init__(message)
        self.answer = {"code": code, "message": message, **more}


class Service:
    def __init__(self, url, token):
        self.url, self.token = url.rstrip("/"), token

    def open(self, *path, **query):
        address = "/".join([self.url, *(urllib.parse.quote(part, safe="") for part in path)])
        if query:
            address += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self.token}"})
        try:
            return urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            if error.code == 429:
                raise Failure("rate_limited", "the list server asks to wait",
                              retry_after=float(error.headers.get("Retry-After", 30))) from error
            code = {401: "unauthenticated", 403: "permission_denied", 404: "not_found", 410: "corrupt"}.get(
                error.code, "unavailable")
            raise Failure(code, f"the list server answered {error.code}") from error
        except OSError as error:
            raise Failure("unavailable", f"the list server can't be reached: {error}") from error

    def get(self, *path, **query):
        try:
            with self.open(*path, **query) as response:
                return json.load(response)
        except (OSError, ValueError) as error:
            raise Failure("unavailable", f"the list server broke off: {error}") from error


# One function for each call: it gets the request and returns the result.

def check(service, _):
    lists = service.get("lists")
    return {"checks": [{"name": "lists readable", "outcome": "pass", "detail": f"{len(lists)} lists"}]}


def accounts(service, _):
    return {"accounts": [{"id": one["id"], "address": one["address"], "display_name": one["name"]}
                         for one in service.get("lists")]}


def folders(service, request):
    return {"folders": [{"id": one["id"], "display_name": one["name"]}
                        for one in service.get("lists", request["account"], "folders")]}


def items(service, request):
    cursor = request.get("cursor")
    after = int(request.get("page", cursor or 0))
    page = service.get("lists", request["account"], "folders", request["folder"], after=after)
    if cursor is not None and after < page["forgotten"]:
        raise Failure("cursor_expired", "the list server has forgotten changes since then")
    result = {"items": [], "left": []}
    for change in page["changes"]:
        after = change["number"]
        if not change["gone"]:
            result["items"].append({"id": change["message"], "content_tag": str(change["revision"]),
                                    "received_at": change["received"], "size_hint": change["size"]})
        elif cursor is not None:
            result["left"].append(change["message"])
    result["cursor"] = str(after)  # everything up to here was told
    if page["changes"]:
        result["more"] = str(after)
    return result


def probe(service, request):
    service.get("lists", request["account"], "folders")
    return {}


def content(service, request, out):
    """The exact bytes, a piece at a time: each after a line that says how many they are."""
    size = 0
    with service.open("lists", request["account"], "messages", request["item"]) as response:
        while True:
            try:
                piece = response.read(PIECE)
            except OSError as error:
                raise Failure("unavailable", f"the list server broke off: {error}") from error
            if not piece:
                break
            size += len(piece)
            say(out, {"id": request["id"], "bytes": len(piece)}, piece)
        if response.length:  # less than it promised: never the end
            raise Failure("unavailable", "the list server broke off within a message")
    return {"size": size}


CALLS = {"check": check, "accounts": accounts, "folders": folders, "items": items, "probe": probe}


def say(out, line, piece=b""):
    out.write(json.dumps(line).encode() + b"\n" + piece)
    out.flush()


def main():
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print() must not get between the answers
    service = None
    for line in sys.stdin.buffer:  # the end of the input: nobody asks any more
        request = json.loads(line)
        call = request["call"]
        try:
            if call == "hello":
                service = Service(request["config"]["url"], request["secrets"]["token"])
                result = {"protocol": 1, "name": "mailing lists", "version": "0.1.0"}
            elif call == "content":
                result = content(service, request, out)
            elif call in CALLS:
                result = CALLS[call](service, request)
            else:
                raise Failure("unsupported", f"there is no call {call} here")
            say(out, {"id": request["id"], "result": result})
        except Failure as failure:
            say(out, {"id": request["id"], "error": failure.answer})


if __name__ == "__main__":
    main()
