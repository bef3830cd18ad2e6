"""What is archived costs little: attachments are stored once, whoever has them, and all comes back bit for bit."""

import base64
import hashlib
import os
import pathlib
import random
import unittest

from harness import Archive, ArchiverTest


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
