"""The program killed at system calls of every kind that changes files, one number after another,
each run starting from what the one before left. What a run had acknowledged stays, verify is clean
at every step, and nobody's help is needed."""

import hashlib
import os
import shutil
import unittest

from harness import Archive, ArchiverTest
from traced import CALLS, killed_at, skip_unless_tracing_is_permitted

CONFIGS = {"filesystem": {"root": "./archive"}, "sqlite": {"file": "./archive/archive.db"}}
NUMBERS = [1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 135, 200]
STEPS = int(os.environ.get("OPENARCHIVER_TEST_KILLS", "6"))


class KillAtCallTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        skip_unless_tracing_is_permitted()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.sent = set()

    def deliver(self):
        text = f"Subject: {len(self.sent)}\r\n\r\n".encode() + os.urandom(3000).hex().encode()
        (self.mail / f"{len(self.sent)}.eml").write_bytes(text)
        self.sent.add(hashlib.sha256(text).hexdigest())

    def site(self, backend, name):
        site = Archive(self.folder / name, {"paths": [str(self.mail)]}, provider="mailfiles")
        site.profile["archive"]["storage"] = {"backend": backend, "config": CONFIGS[backend]}
        site.write_profile()
        return site

    def acknowledged(self, site):
        """What the catalog shows, each read back; nothing before there is an archive."""
        if not (site.folder / "catalog" / "catalog.db").exists():
            return set()
        shutil.rmtree(site.folder / "export", ignore_errors=True)
        return {entry["sha256"] for entry in site.export()}

    def check(self, site, known):
        there = self.acknowledged(site)
        self.assertEqual(known - there, set(), "acknowledged and lost")
        if there:
            report = site.json("verify")
            self.assertEqual([f for f in report["findings"] if f["damage"]], [])
        return there

    def finish(self, site, known):
        site.sync()
        self.assertEqual(self.check(site, known), self.sent)
        shutil.rmtree(site.folder / "catalog")
        site.run("rebuild")
        self.assertEqual(self.check(site, known), self.sent)

    def test_killed_at_any_call(self):
        for backend in CONFIGS:
            kills = 0
            for call in CALLS:
                with self.subTest(backend=backend, call=call):
                    site = self.site(backend, f"{backend}-{call}")
                    known = set()
                    for number in NUMBERS[:STEPS]:
                        self.deliver()
                        if not killed_at(site.command("sync"), call, number):
                            break
                        kills += 1
                        known = self.check(site, known)
                    self.finish(site, known)
            self.assertGreater(kills, 4 * STEPS, "hardly ever killed: nothing was tested")

    def test_killed_while_an_archive_is_made(self):
        self.deliver()
        for backend in CONFIGS:
            for call in ("openat", "write", "fsync", "link", "rename", "mkdir"):
                for number in range(1, STEPS):
                    with self.subTest(backend=backend, call=call, number=number):
                        site = self.site(backend, f"{backend}-{call}-{number}")
                        if killed_at(site.command("sync"), call, number):
                            self.finish(site, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
