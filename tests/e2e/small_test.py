"""What is archived costs little: attachments are stored once, whoever has them, and all comes back bit for bit."""

import base64
import contextlib
import hashlib
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import time
import unittest

from harness import Archive, ArchiverTest, running


def message(number, attachment=b"", width=76, line_end="\r\n"):
    text = base64.b64encode(attachment).decode()
    lines = line_end.join(text[i:i + width] for i in range(0, len(text), width))
    return (f"From: a@contoso.example\r\nSubject: message {number}\r\n\r\nsome text {number}\r\n"
            f"--x\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}\r\n--x--\r\n").encode()


class SmallTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.number = 0

    def deliver(self, mailbox, content):
        for name in ("cur", "new", "tmp"):
            (self.mail / mailbox / name).mkdir(parents=True, exist_ok=True)
        self.number += 1
        (self.mail / mailbox / "new" / f"{self.number}.host").write_bytes(content)

    def archive(self, **changes):
        return Archive(self.folder / "site", {"paths": [str(self.mail)]}, provider="mailfiles", **changes)

    def delivered(self):
        return sorted(hashlib.sha256(path.read_bytes()).hexdigest()
                      for path in self.mail.rglob("new/*"))

    def assert_all_there(self, archive):
        self.assertEqual(sorted(e["sha256"] for e in self.fresh_export(archive)), self.delivered())
        self.assertFalse(archive.json("verify")["damaged"])

    def packs(self, archive):
        return sorted(p for p in (archive.folder / "archive/packs").rglob("*") if p.is_file())

    def test_an_attachment_is_stored_once(self):
        file = random.Random(1).randbytes(300_000)
        for mailbox in ("anna", "bo", "carla"):
            self.deliver(mailbox, message(self.number, file))
            self.deliver(mailbox, message(self.number, file, 64, "\n"))
        archive = self.archive()
        archive.sync()
        stats = archive.json("stats")
        self.assertEqual((stats["items"], stats["parts"]), (6, 1))
        self.assertLess(stats["bytes_stored"], 320_000)
        self.assertEqual(stats["bytes_in"] - stats["saved_by_deduplication"] - stats["saved_by_decoding"]
                         - stats["saved_by_compression"], stats["bytes_stored"])
#Later, elsewhere, also to who had no mail before.
        for mailbox in ("anna", "dora"):
            self.deliver(mailbox, message(self.number, file, 72))
        archive.sync()
        later = archive.json("stats")
        self.assertEqual((later["items"], later["parts"]), (8, 1))
        self.assertLess(later["bytes_stored"] - stats["bytes_stored"], 5_000)
        self.assert_all_there(archive)
        (archive.folder / "catalog/catalog.db").unlink()
        archive.run("rebuild")
        self.assertEqual(archive.json("stats"), later)
        self.assert_all_there(archive)
#What a rebuilt catalog knows of parts is enough to share them.
        self.deliver("emil", message(self.number, file))
        archive.sync()
        self.assertEqual(archive.json("stats")["parts"], 1)
        self.assert_all_there(archive)

    def test_an_archive_without_encryption(self):
        archive = self.archive()
        archive.profile["archive"]["encryption"] = {"mode": "none"}
        archive.write_profile()
        file = random.Random(2).randbytes(20_000)
        for mailbox in ("anna", "bo"):
            self.deliver(mailbox, message(self.number, file))
        archive.sync()
        self.assertEqual(archive.json("stats")["parts"], 1)
        self.assert_all_there(archive)

    def test_damage_of_a_shared_attachment_names_everybody_affected(self):
        shared = random.Random(3).randbytes(2_000_000)
        self.deliver("anna", message(0, shared))
        self.deliver("anna", message(1))
        archive = self.archive()
        archive.sync()
        damaged = self.packs(archive)
        for mailbox in ("bo", "carla"):
            self.deliver(mailbox, message(self.number, shared))
            self.deliver(mailbox, message(self.number, random.Random(self.number).randbytes(9_000)))
        archive.sync()
        affected = sorted(e["ref"] for e in self.fresh_export(archive) if e["size"] > 2_000_000)
        self.assertEqual(len(affected), 3)
        self.assertEqual(len(damaged), 1)
        content = bytearray(damaged[0].read_bytes())
        content[len(content) // 2] ^= 1
        os.chmod(damaged[0], 0o600)
        damaged[0].write_bytes(content)
        report = archive.json("verify", expect=5)
        self.assertEqual([f["kind"] for f in report["findings"]], ["pack_damaged"], report)
        self.assertEqual(sorted(report["findings"][0]["affected"]["refs"]), affected)
        ref = affected[0]
        self.assertIn(b"does not authenticate", archive.run("show", ref, "--raw", expect=None).stderr)
        damaged[0].unlink()
        report = archive.json("verify", expect=5)
        self.assertEqual([f["kind"] for f in report["findings"]], ["pack_missing"], report)
        self.assertEqual(report["findings"][0]["affected"]["items"], 4)
        quick = archive.json("verify", "--quick", expect=5)
        self.assertEqual(quick["findings"][0]["affected"]["items"], 4)

    def trickle(self, archive, count):
        """As many packs, in one catalog."""
        for _ in range(count):
            for mailbox in ("anna", "bo"):
                self.deliver(mailbox, message(self.number, self.shared if self.number % 5 == 0 else b""))
            archive.sync()

    def test_small_packs_become_one(self):
        self.shared = random.Random(4).randbytes(5_000)
        archive = self.archive()
        self.trickle(archive, 20)
        stats = archive.json("stats")
        self.assertLess(stats["packs"], 16)
        self.assertGreaterEqual(len(self.packs(archive)), 20, "readers may still need those")
        self.assertEqual(stats["parts"], 1)
        self.assert_all_there(archive)
        self.assertFalse(archive.json("verify", "--quick")["findings"])
        (archive.folder / "catalog/catalog.db").unlink()
        archive.run("rebuild")
        self.assertEqual(archive.json("stats"), stats)
        self.assert_all_there(archive)
        # What was joined is deduplicated against, and joined again.
        self.trickle(archive, 17)
        later = archive.json("stats")
        self.assertEqual(later["parts"], 1)
        self.assertLess(later["packs"], 16)
        self.assert_all_there(archive)

    def collect_again(self, archive, replaced_hours_ago):
        with contextlib.closing(sqlite3.connect(archive.folder / "catalog/catalog.db")) as catalog:
            catalog.execute("DELETE FROM meta WHERE key='packs_collected_at'")
            catalog.execute("UPDATE packs SET replaced=replaced-? WHERE replaced>0",
                            (replaced_hours_ago * 3_600_000,))
            catalog.commit()
        archive.sync()

    def test_packs_that_nothing_needs_are_removed(self):
        self.shared = random.Random(5).randbytes(5_000)
        archive = self.archive()
        self.trickle(archive, 16)
        stats = archive.json("stats")
        before = self.packs(archive)
        left = []
        for age in (23, 25):
            name = hashlib.sha256(f"left {age}".encode()).hexdigest()
            left.append(archive.folder / "archive/packs" / name[:2] / name)
            left[-1].parent.mkdir(exist_ok=True)
            left[-1].write_bytes(b"a pack of an interrupted run")
            os.utime(left[-1], (time.time() - age * 3600,) * 2)
        foreign = archive.folder / "archive/packs/notes.txt"
        foreign.write_text("not a pack")
        os.utime(foreign, (0, 0))
        archive.sync()  # collected less than a day ago
        self.assertTrue(left[1].exists())
        self.collect_again(archive, 0)
        self.assertEqual([path.exists() for path in left], [True, False])
        self.assertTrue(foreign.exists())
        self.assertTrue(set(before) <= set(self.packs(archive)), "replaced less than an hour ago")
        self.collect_again(archive, 2)
        self.assertLess(len(self.packs(archive)), 16)
        self.assertEqual(archive.json("stats"), stats)
        left[0].unlink()
        foreign.unlink()
        (archive.folder / "catalog/catalog.db").unlink()
        archive.run("rebuild")
        self.assert_all_there(archive)

    def test_kills_while_packs_are_joined(self):
        self.shared = random.Random(6).randbytes(5_000)
        rng = random.Random(int(os.environ.get("OPENARCHIVER_TEST_SEED", "20261126")))
        archive = self.archive()
        killed = 0
        for round in range(40):
            self.deliver(rng.choice(("anna", "bo")), message(self.number, self.shared))
            if round < 12 or round % 2:
                archive.sync()
                continue
            process = archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                # From the moment on when the new mail's pack is there: that is when packs are joined.
                packs = len(self.packs(archive))
                while process.poll() is None and len(self.packs(archive)) == packs:
                    pass
                time.sleep(rng.choice((0, 0, 0.002, 0.004, 0.008, 0.02)))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    killed += 1
        self.assertGreater(killed, 3, "hardly ever killed: nothing was tested")
        archive.sync()
        self.trickle(archive, 2)
        self.assert_all_there(archive)
        self.assertEqual(archive.json("stats")["parts"], 1)

    def test_odd_and_broken_mail_comes_back_bit_for_bit(self):
        corpus = os.environ.get("OPENARCHIVER_TEST_CORPUS")
        if not corpus:
            self.skipTest("OPENARCHIVER_TEST_CORPUS names no folder of mail")
        for path in sorted(pathlib.Path(corpus).rglob("*")):
            if path.is_file() and "torture" in path.parts:
                self.deliver("anna", path.read_bytes())
        self.assertGreater(self.number, 100)
        archive = self.archive()
        archive.sync()
        self.assert_all_there(archive)


if __name__ == "__main__":
    unittest.main()
