"""Installs into a clean prefix and makes plugins from it, as somebody does who has nothing else."""

import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["OPENARCHIVER_BUILD"])
CMAKE = os.environ["OPENARCHIVER_CMAKE"]
SANITIZE = os.environ.get("OPENARCHIVER_SANITIZE", "")
DOVECOT = os.environ.get("OPENARCHIVER_DOVECOT", "")


class OutOfTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="openarchiver-sdk-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.prefix = cls.folder / "prefix"
        cls.program = cls.prefix / "bin" / "openarchiver"
        cls.run_ok(CMAKE, "--install", str(BUILD), "--prefix", str(cls.prefix))

    @classmethod
    def run_command(cls, *command, cwd=None):
        values = {key: value for key, value in os.environ.items()
                  if not key.startswith("OPENARCHIVER_")}
        return subprocess.run([str(part) for part in command], cwd=cwd or cls.folder, env=values,
                              text=True, capture_output=True, timeout=600, check=False)

    @classmethod
    def run_ok(cls, *command, cwd=None):
        done = cls.run_command(*command, cwd=cwd)
        if done.returncode != 0:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def configure(self, source, build):
        self.run_ok(CMAKE, "-G", "Ninja", "-S", source, "-B", build,
                    f"-DCMAKE_PREFIX_PATH={self.prefix}",
                    f"-DCMAKE_CXX_FLAGS={f'-fsanitize={SANITIZE}' if SANITIZE else ''}")

    def make_plugin(self, source):
        """Configures, builds, passes its tests and is installed; the output of the tests."""
        build = source / "build"
        self.configure(source, build)
        self.run_ok(CMAKE, "--build", build)
        tests = self.run_ok("ctest", "--test-dir", build, "--output-on-failure", "--verbose")
        self.run_ok(CMAKE, "--install", build, "--prefix", self.prefix)
        return tests

    def new(self, name, kind):
        source = self.folder / name
        self.run_ok(self.program, "plugin", "new", name, "--kind", kind, "--output", source)
        return source

    def loaded(self):
        document = json.loads(self.run_ok(self.program, "plugin", "list", "--json"))
        self.assertEqual(document["refused"], [])
        return {plugin["id"]: plugin for plugin in document["plugins"]}

    def archive(self, storage, source):
        """Syncs once, verifies, and returns the summary of the source."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        profile = folder / "openarchiver.json"
        profile.write_text(json.dumps(
            {"version": 1, "archive": {"storage": storage, "free_space_floor": 0},
             "sources": [{"id": "it", "name": "It", **source}]}))
        report = json.loads(self.run_ok(self.program, "--profile", profile, "sync", "--json"))
        self.run_ok(self.program, "--profile", profile, "verify")
        return profile, report["sources"][0]

    def start_fixture(self, fixture):
        """The fixture of a project, left running for the test; how it is configured."""
        process = subprocess.Popen([fixture], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        process.stdin.write("start\n")
        process.stdin.flush()
        config = None
        while (line := process.stdout.readline().rstrip("\n")) != "ready":
            word, _, rest = line.partition(" ")
            config = json.loads(rest) if word == "config" else config
        return config

    def test_a_new_provider_and_a_new_storage_backend_archive_together(self):
        started = time.monotonic()
        provider = self.new("in-house", "provider")
        self.assertIn("100% tests passed", self.make_plugin(provider))
        seconds = time.monotonic() - started
        print(f"\nfrom `plugin new` to a passing suite: {seconds:.0f} s")
        storage = self.new("shelf", "storage")
        self.assertIn("100% tests passed", self.make_plugin(storage))

        plugins = self.loaded()
        self.assertEqual(plugins["in-house"]["kind"], "provider")
        self.assertEqual(plugins["shelf"]["kind"], "storage backend")
        _, report = self.archive(
            {"backend": "shelf", "config": {"root": "archive"}},
            {"provider": "in-house", "config": self.start_fixture(provider / "tests" / "fixture")})
        self.assertEqual(report["items"]["new"], 502)

    def example(self, name):
        """The example as it was installed, built and passing its suite."""
        source = self.folder / name
        shutil.copytree(self.prefix / "share" / "openarchiver" / "examples" / name, source)
        self.assertIn("100% tests passed", self.make_plugin(source))
        return source

    def test_a_ticket_system_is_archived_on_a_write_once_appliance(self):
        tickets = self.example("tickets")
        self.example("appliance")
        self.assertEqual(self.loaded()["appliance"]["title"], "Write-once appliance")
        profile, report = self.archive(
            {"backend": "appliance", "config": {"root": "archive"}},
            {"provider": "tickets", "config": self.start_fixture(tickets / "tests" / "fixture")})
        self.assertEqual(report["items"]["new"], 122)
        self.assertEqual(report["items"]["failed"], 0)

        out = profile.parent / "out"
        self.run_ok(self.program, "--profile", profile, "export", "--format", "eml", "--output", out)
        manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        by_item = {line["item"]: line for line in manifest}
        ticket = by_item["ticket-10"]
        self.assertEqual(ticket["media_type"], "application/json")
        self.assertEqual(ticket["subject"], "Printer 10 is on fire")
        self.assertEqual(ticket["properties"], {"state": "open", "priority": 0, "open": True})
        self.assertEqual(sorted(ticket["folders"]), [["support"], ["urgent"]])
        self.assertEqual(json.loads((out / ticket["path"]).read_text())["title"], ticket["subject"])
        self.assertTrue(ticket["path"].endswith(".json"))
        self.assertEqual(by_item["ticket-1"]["properties"]["due"], "2027-01-15T08:00:00.000Z")
        attachment = by_item["attachment-1"]
        self.assertTrue(attachment["path"].endswith(".png"))
        self.assertEqual((out / attachment["path"]).read_bytes(), bytes(range(256)) * 40)

        shown = json.loads(self.run_ok(self.program, "--profile", profile, "show", ticket["ref"],
                                       "--json"))
        self.assertEqual(shown["versions"][0]["properties"], ticket["properties"])
        self.assertEqual(len(shown["folders"]), 2)
        self.run_ok(self.program, "--profile", profile, "rebuild")  # from the log alone
        self.assertEqual(shown, json.loads(self.run_ok(self.program, "--profile", profile, "show",
                                                       ticket["ref"], "--json")))

        # A format of mail leaves them out, and says so.
        done = self.run_command(self.program, "--profile", profile, "export", "--format", "mbox",
                                "--output", profile.parent / "mbox", "--json")
        self.assertEqual(len(json.loads(done.stdout)["exceptions"]), 122, done.stdout)

        self.check_notification(profile)

    def test_the_provider_of_mail_files_is_made_out_of_tree(self):
        """A provider of this repository, with nothing but what is installed."""
        source = self.folder / "mailfiles"
        shutil.copytree(SOURCE / "plugins" / "mailfiles", source)
        (self.prefix / "lib" / "openarchiver" / "plugins" / "mailfiles.so").unlink()
        self.assertIn("100% tests passed", self.make_plugin(source))
        self.assertEqual(self.loaded()["mailfiles"]["title"], "Mail files")
        _, report = self.archive(
            {"backend": "filesystem", "config": {"root": "archive"}},
            {"provider": "mailfiles", "config": self.start_fixture(source / "tests" / "fixture")})
        self.assertEqual(report["items"]["new"], 20 + 40 + 2 + 15 + 10)

    def check_notification(self, profile):
        """The ticket system tells of a new ticket: it is archived long before it is due."""
        document = json.loads(profile.read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        source = document["sources"][0]
        source["config"]["notification_secret"] = "between the two of us"
        source["schedule"] = {"every": "1h"}
        document["service"] = {"listen": f"127.0.0.1:{port}", "public_url": "https://archive.example.org"}
        serving = profile.with_name("serving.json")
        serving.write_text(json.dumps(document))
        with open(profile.with_name("service.log"), "w+") as log:
            service = subprocess.Popen([self.program, "--profile", serving, "serve"], stdout=log, stderr=log)
            self.addCleanup(service.kill)

            def notify(secret):
                request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/sources/it/webhook", b"south",
                                                 {"X-Tickets-Secret": secret})
                try:
                    with urllib.request.urlopen(request, timeout=30) as response:
                        return response.status
                except urllib.error.HTTPError as error:
                    return error.code
                except OSError:
                    return None

            def items():
                done = self.run_command(self.program, "--profile", serving, "status", "--json")
                return json.loads(done.stdout)["sources"][0]["items"]

            def wait_for(condition, what):
                deadline = time.monotonic() + 60
                while not condition():
                    self.assertLess(time.monotonic(), deadline, f"{what}\n{pathlib.Path(log.name).read_text()}")
                    time.sleep(0.1)

            wait_for(lambda: notify("wrong") == 403, "the source is open")
            wait_for(lambda: "sync run done" in pathlib.Path(log.name).read_text(), "the first run")
            before = items()
            database = sqlite3.connect(source["config"]["database"], isolation_level=None)
            database.execute("INSERT INTO tickets VALUES('ticket-2000','south','billing',1,'News','open',1,0,'.')")
            database.execute("INSERT INTO places VALUES('south','billing','ticket-2000',1000000,0)")
            database.close()
            self.assertEqual(notify("between the two of us"), 204)
            wait_for(lambda: items() == before + 1, "the ticket is archived")
            service.terminate()
            self.assertEqual(service.wait(30), 0)

    def test_a_provider_in_another_language(self):
        source = self.prefix / "share" / "openarchiver" / "examples" / "mailing-lists"
        plugin = self.prefix / "lib" / "openarchiver" / "plugins" / "subprocess.so"
        self.run_ok(self.program, "plugin", "verify", plugin, "--fixture", source / "tests" / "fixture")

    def test_the_providers_of_this_repository_are_made_with_the_installed_sdk(self):
        sources = pathlib.Path(__file__).resolve().parents[2] / "plugins"
        for name in ("imap", "subprocess"):
            installed = self.prefix / "lib" / "openarchiver" / "plugins" / f"{name}.so"
            installed.unlink()
            source = self.folder / name
            shutil.copytree(sources / name, source, ignore=shutil.ignore_patterns("tests"))
            self.configure(source, source / "build")
            self.run_ok(CMAKE, "--build", source / "build")
            self.run_ok(CMAKE, "--install", source / "build", "--prefix", self.prefix)
            self.assertEqual(pathlib.Path(self.loaded()[name]["file"]), installed)
            self.run_ok(self.program, "plugin", "verify", installed)
        if DOVECOT:
            fixture = sources.parent / "tests" / "services" / "imap_fixture.py"
            self.run_ok(self.program, "plugin", "verify", self.prefix / "lib/openarchiver/plugins/imap.so",
                        "--fixture", f"/usr/bin/python3 {fixture} {DOVECOT} stable")

    def test_the_suite_catches_what_an_author_gets_wrong(self):
        source = self.new("hasty", "provider")
        session = source / "src" / "session.cpp"
        right = "        sequence = change.sequence;\n"
        text = session.read_text()
        self.assertIn(right, text)
        # A cursor that is ahead of what was reported: items are lost when a sync is interrupted.
        session.write_text(text.replace(right, "        sequence = changes.back().sequence;\n"))
        build = source / "build"
        self.configure(source, build)
        self.run_ok(CMAKE, "--build", build)
        done = self.run_command(self.program, "plugin", "verify", build / "hasty.so", "--fixture",
                                source / "tests" / "fixture", "--json")
        self.assertEqual(done.returncode, 1, done.stderr)
        failed = {check["name"]: check for check in json.loads(done.stdout)["checks"]
                  if check["outcome"] == "failed"}
        self.assertEqual(list(failed), ["a sync resumes from every checkpoint"])
        check = failed["a sync resumes from every checkpoint"]
        self.assertIn("provider.hpp", check["contract"])
        self.assertIn("cursor", check["remedy"])
        self.assertTrue(check["findings"][0]["expected"])

    def test_headers_need_nothing_but_the_standard_library(self):
        for header in sorted((self.prefix / "include" / "openarchiver" / "sdk").glob("*.hpp")):
            source = self.folder / "only.cpp"
            source.write_text(f"#include <openarchiver/sdk/{header.name}>\nint main() {{}}\n")
            self.run_ok("g++", "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                        "-fsyntax-only", "-nostdinc++",
                        *[f"-isystem{path}" for path in standard_library()],
                        f"-I{self.prefix / 'include'}", source)
            for line in header.read_text().splitlines():
                if line.startswith("#include"):
                    self.assertNotRegex(line, r"boost|Poco|spdlog|fmt|\.h>", header.name)


def standard_library():
    """The folders of the C++ library's own headers."""
    text = subprocess.run(["g++", "-std=c++20", "-E", "-x", "c++", "/dev/null", "-v"],
                          capture_output=True, text=True, check=True).stderr
    return [line.strip() for line in text.splitlines() if line.startswith(" /") and "c++" in line]


if __name__ == "__main__":
    unittest.main()
