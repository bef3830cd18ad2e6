"""A store that fails at any of its calls: before it did what was asked for, or after; once, or from
then on; or shows late what it has. What was acknowledged stays, verify is clean, and the next run
goes on without anybody's help."""

import hashlib
import os
import unittest

from harness import Archive, ArchiverTest

PLUGINS = os.environ["OPENARCHIVER_TEST_PLUGINS"]
NUMBERS = range(1, int(os.environ.get("OPENARCHIVER_TEST_FAULTS", "6")))


class StoreFaultsTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.sent = set()
        self.met = self.folder / "faults.met"

    def deliver(self, count=2):
        for _ in range(count):
            text = f"Subject: {len(self.sent)}\r\n\r\n".encode() + os.urandom(3000).hex().encode()
            (self.mail / f"{len(self.sent)}.eml").write_bytes(text)
            self.sent.add(hashlib.sha256(text).hexdigest())

    def site(self, name):
        site = Archive(self.folder / name, {"paths": [str(self.mail)]}, provider="mailfiles",
                       plugins={"path": [PLUGINS]})
        site.profile["archive"]["storage"] = {
            "backend": "faulty", "config": {"root": "./archive", "script": str(self.folder / "faults")}}
        site.write_profile()
        return site

    def ask_for(self, *lines):
        (self.folder / "faults").write_text("\n".join(lines))
        self.met.unlink(missing_ok=True)

    def check(self, site, known):
        there = {e["sha256"] for e in self.fresh_export(site)}
        self.assertEqual(known - there, set(), "acknowledged and lost")
        report = site.json("verify")
        self.assertEqual([f for f in report["findings"] if f["damage"]], [])
        return there

    def sync_with(self, site, known, fault, codes):
        """A run with the fault, then one without. False where the fault was not met."""
        self.deliver()
        self.ask_for(fault)
        done = site.run("sync", expect=None)
        met = self.met.exists()
        self.assertIn(done.returncode, codes if met else (0,), done.stderr.decode())
        if done.returncode != 0:
            self.assertIn(b"a fault of the test at the object", done.stderr)
        self.ask_for()
        if (site.folder / "catalog" / "catalog.db").exists():
            there = self.check(site, known)
            if done.returncode == 0:
                self.assertEqual(there, self.sent)
        site.sync()
        self.assertEqual(self.check(site, known), self.sent)
        known |= self.sent
        return met

    def test_a_fault_that_passes_is_not_noticed(self):
        site, known, met = self.site("passing"), set(), 0
        for fault in ("fail put {} 1 unavailable", "report put {} 1 timed_out",
                      "fail get {} 1 unavailable", "fail list {} 1 rate_limited",
                      "fail stat {} 1 unavailable", "fail remove {} 1 unavailable"):
            for number in NUMBERS:
                with self.subTest(fault=fault.format(number)):
                    if not self.sync_with(site, known, fault.format(number), (0,)):
                        break
                    met += 1
        self.assertGreater(met, 2 * len(NUMBERS))

    def test_a_fault_that_lasts_ends_the_run_and_loses_nothing(self):
        site, known, met = self.site("lasting"), set(), 0
        for fault in ("fail put {} 1000 resource_exhausted",    # full
                      "report put {} 1000 resource_exhausted",  # left there, whatever it says
                      "fail put {} 1000 permission_denied",
                      "fail get {} 1000 permission_denied",
                      "fail list {} 1000 permission_denied"):
            for number in NUMBERS:
                with self.subTest(fault=fault.format(number)):
                    if not self.sync_with(site, known, fault.format(number), (0, 4)):
                        break
                    met += 1
        self.assertGreater(met, 2 * len(NUMBERS))

    def test_a_creation_that_fails_is_made_good(self):
        for kind in ("fail", "report"):
            for number in NUMBERS:
                with self.subTest(kind=kind, number=number):
                    site = self.site(f"{kind}-{number}")
                    self.sync_with(site, set(), f"{kind} put {number} 1000 resource_exhausted",
                                   (0, 4))

    def test_objects_that_are_listed_late(self):
        site, known = self.site("late"), set()
        for _ in range(4):
            self.deliver()
            self.ask_for("hide 3000")
            site.run("sync")
            site.run("sync")
            self.ask_for()
            known = self.check(site, known)
        self.assertEqual(known, self.sent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
