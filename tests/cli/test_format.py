"""Archives of every format that a release wrote stay readable: each lies in a folder `format-N` beside this file, with its key and
what it holds. `python3 test_format.py FOLDER` makes one of the program's own format; it is made once, when a format is released."""

import base64
import json
import os
import pathlib
import random
import shutil
import sys
import time
import unittest

from test_disposal import DisposalTest

HERE = pathlib.Path(__file__).parent
FORMATS = sorted(HERE.glob("format-*"))


class FormatTest(DisposalTest):
    def setUp(self):
        super().setUp()
        profile = json.loads(self.profile.read_text())
        profile["archive"]["search"] = {"enabled": False}
        self.profile.write_text(json.dumps(profile))

    def items(self, into):
        """What an export gives: of each ref and version its bytes."""
        self.run_ok("export", "--format", "eml", "--output", into)
        lines = (self.folder / into / "manifest.jsonl").read_text().splitlines()
        return sorted([m["ref"], m["version"], m["sha256"], m["subject"]] for m in map(json.loads, lines))


class Format(FormatTest):
    def test_an_archive_of_each_format_reads_as_it_did(self):
        self.assertTrue(FORMATS)
        for made in FORMATS:
            with self.subTest(made.name):
                for name in ("archive", "catalog", "out", "rebuilt"):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
                shutil.copytree(made / "archive", self.folder / "archive")
                shutil.copy(made / "archive.key", self.folder)
                os.chmod(self.folder / "archive.key", 0o600)
                expected = json.loads((made / "expected.json").read_text())
                self.run_ok("rebuild")
                verified = self.run_ok("verify", "--json").document
                self.assertEqual([f for f in verified["findings"] if f["damage"]], [])
                self.assertEqual(self.items("out"), expected["items"])
                self.assertEqual([h["matter"] for h in self.holds("--all")], expected["holds"])
                # ... and is written on.
                self.add_mail("of-today", text="written on")
                self.run_ok("sync")
                self.run_ok("verify")
                self.assertLess(len(expected["items"]), len(self.items("rebuilt")))


class Make(FormatTest):
    """Everything that the format has: contents as they came and composed, parts that are shared, odd base64, versions, joined packs,
    heads, holds, a disposal, a forgotten item and a forgotten account."""

    def make(self):
        data = base64.encodebytes(random.Random(1).randbytes(9_000)).decode().replace("\n", "\r\n")
        odd = "\r\n".join(data.replace("\r\n", "")[i:i + 77 + i % 3] for i in range(0, 6_000, 80))
        part = ('MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n')
        for name, body, folder in (("even", data, self.mail), ("even-again", data, self.other), ("odd", odd, self.mail)):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.eml").write_bytes(f"From: a@example.org\r\nSubject: {name}\r\n{part}{body}\r\n".encode())
        third = self.folder / "mail" / "eve"
        self.add_mail("eve-0", text="of eve", folder=third)
        profile = json.loads(self.profile.read_text())
        profile["sources"][0]["config"]["paths"].append(str(third))
        profile["archive"]["retention"] = [{"id": "ten-years", "keep": "10y"}]
        self.profile.write_text(json.dumps(profile))
        os.utime(self.mail / "ada-0.eml", (time.time() - 12 * 366 * 86400,) * 2)
        self.run_ok("sync")
        self.add_mail("ada-1", text="another version")
        for number in range(20):
            self.add_mail(f"later-{number}", text="small packs are joined")
            self.run_ok("sync")
        self.hold("--account", self.account_of("bob")["address"])
        code = self.run_ok("retention", "simulate", "--json").document["approval"]["code"]
        self.run_ok("retention", "apply", "--approve", code)
        gone = next(i for i in self.items("before") if i[3] == "later-3")
        self.run_ok("forget", gone[0], "--reason", "asked")
        self.run_ok("forget", self.account_of("eve")["address"], "--reason", "asked")
        self.run_ok("sync")
        self.run_ok("verify")
        target = pathlib.Path(sys.argv[1])
        shutil.copytree(self.folder / "archive", target / "archive")
        shutil.copy(self.folder / "archive.key", target)
        (target / "expected.json").write_text(json.dumps(
            {"items": self.items("out"), "holds": [h["matter"] for h in self.holds("--all")]}, indent=1) + "\n")


if __name__ == "__main__":
    outcome = unittest.TextTestRunner().run(Make("make"))
    sys.exit(not outcome.wasSuccessful())
