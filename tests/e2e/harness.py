"""Runs the program as its users do, against a simulated tenant. Standard library only."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

PROGRAM = os.environ["OPENARCHIVER_PROGRAM"]
SIMULATOR = os.environ["OPENARCHIVER_GRAPH_SIMULATOR"]
CORPUS = os.environ.get("OPENARCHIVER_TEST_CORPUS", "")

TENANT = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f"
CLIENT = "c0ffee00-1111-4222-8333-444455556666"
SECRET = "simulated-secret-value"


class Simulator:
    """A simulated tenant; a context manager."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [SIMULATOR, "--http", "0", "--die-with-parent", *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        if not ready:
            raise RuntimeError("the simulator did not start")
        self.url = json.loads(ready)["http"]
        self.https = json.loads(ready).get("https")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()

    def control(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/control/{path}", data=data,
            method=method or ("GET" if body is None else "POST"),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            text = response.read()
        return json.loads(text) if text else None

    def tenant(self, sha256=True):
        return self.control("tenant" + ("?sha256=1" if sha256 else ""))

    def users(self):
        return self.tenant(sha256=False)["users"]

    def metrics(self):
        return self.control("metrics")

    def log(self, since=0):
        return self.control(f"log?since={since}")

    def requests(self, route=None, since=0):
        entries = self.log(since)
        entries = entries if isinstance(entries, list) else entries["entries"]
        return [e for e in entries if route is None or e["route"] == route]


class Archive:
    """A profile in a folder of its own, and the program run with it."""

    def __init__(self, folder, source_config, provider="microsoft365", **changes):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if provider == "mailfiles":
            source_config = {"settle_seconds": 0, **source_config}  # tests write whole files, and don't wait
        self.profile = {
            "version": 1,
            "archive": {
                "storage": {"backend": "filesystem", "config": {"root": "./archive"}},
                "catalog": {"path": "./catalog"},
                "free_space_floor": "16MiB",
            },
            "sources": [{"id": "contoso", "name": "Contoso", "provider": provider,
                         "config": source_config, "schedule": {"every": "5m"}}],
        }
        self.profile.update(changes)
        self.write_profile()

    def write_profile(self):
        (self.folder / "profile.json").write_text(json.dumps(self.profile, indent=2))

    def command(self, *arguments):
        return [PROGRAM, "--profile", str(self.folder / "profile.json"), *map(str, arguments)]

    def start(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), **options)

    def run(self, *arguments, expect=0, timeout=600):
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=timeout)
        if expect is not None and done.returncode != expect:
            raise AssertionError(
                f"{' '.join(map(str, arguments))}: exit code {done.returncode}, expected {expect}\n"
                f"{done.stdout.decode(errors='replace')[-3000:]}\n"
                f"{done.stderr.decode(errors='replace')[-3000:]}")
        return done

    def json(self, *arguments, expect=0, timeout=600):
        return json.loads(self.run("--json", *arguments, expect=expect, timeout=timeout).stdout)

    def sync(self, *arguments, expect=0, timeout=600):
        """The document of the one source."""
        return self.json("sync", *arguments, expect=expect, timeout=timeout)["sources"][0]

    def export(self, name="export", *arguments, expect=0):
        """The manifest of a fresh export; every file is checked against it."""
        output = self.folder / name
        self.run("export", *arguments, "--format", "eml", "--output", output, expect=expect)
        entries = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
        for entry in entries:
            content = (output / entry["path"]).read_bytes()
            assert len(content) == entry["size"], entry
            assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry
        return entries


def graph_config(simulator, **changes):
    config = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET,
              "authority_url": simulator.url, "graph_url": simulator.url}
    config.update(changes)
    return config


# Folders that are not archived by default, by the names that the simulator gives them.
NOT_ARCHIVED = {"drafts", "outbox", "syncissues", "conflicts", "localfailures", "serverfailures",
                "conversationhistory", "recoverableitemsdeletions", "searchfolders"}


class ArchiverTest(unittest.TestCase):
    """A temporary folder, and comparisons of an archive with its tenant."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="openarchiver-e2e-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.exports = 0

    def archive(self, simulator, name="site", **changes):
        return Archive(self.folder / name, graph_config(simulator, **changes))

    def fresh_export(self, archive):
        self.exports += 1
        return archive.export(f"export-{self.exports}")

    def expected_messages(self, simulator):
        """(user id, message id) -> message, as the tenant has them now in archived folders."""
        expected = {}
        for user in simulator.tenant()["users"]:
            if user["mailbox"] != "enabled" or user["removed"] or user["type"] == "Guest":
                continue
            folders = {f["id"]: f for f in user["folders"]}
            for message in user["messages"]:
                if message.get("deleted"):
                    continue
                if folders[message["folder"]]["well_known"] in NOT_ARCHIVED:
                    continue
                expected[user["id"], message["id"]] = message
        return expected

    def assert_archived(self, simulator, archive):
        """The archive holds every message of the tenant once, byte by byte, and says where."""
        entries = self.fresh_export(archive)
        newest = {}
        for entry in entries:
            key = entry["account"], entry["item"]
            if key not in newest or entry["version"] > newest[key]["version"]:
                newest[key] = entry
        self.assertEqual(len({(e["account"], e["item"], e["version"]) for e in entries}),
                         len(entries), "a version was exported twice")
        expected = self.expected_messages(simulator)
        self.assertEqual(set(expected) - set(newest), set(), "messages are missing")
        removed = {user["id"] for user in simulator.users() if user["removed"]}
        here = {key for key, entry in newest.items()
                if entry["in_mailbox"] and key[0] not in removed}
        self.assertEqual(here - set(expected), set(), "messages that left are shown as there")
        self.assertEqual(set(expected) - here, set(), "messages that are there are shown as left")
        for key, message in expected.items():
            self.assertEqual(newest[key]["sha256"], message["sha256"], key)
            self.assertEqual(newest[key]["size"], message["size"], key)
        return entries


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def api_answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).status == 200
    except OSError:
        return False


def wait_until(condition, seconds=60, what="a condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


@contextlib.contextmanager
def running(process):
    """Kills the process at the end if it is still there."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
