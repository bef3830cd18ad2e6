"""A power cut at any moment: what was not synced is gone, or only some of it is. What earlier runs
acknowledged is there, verify is clean, and the next run goes on without anybody's help."""

import hashlib
import os
import shutil
import unittest

from disk_model import Disk, put_down
from harness import Archive, ArchiverTest
from traced import operations, skip_unless_tracing_is_permitted

# How many moments of the whole story are looked at; 0: all of them.
CUTS = int(os.environ.get("OPENARCHIVER_TEST_CUTS", "8"))
CONFIGS = {"filesystem": {"root": "./archive"}, "sqlite": {"file": "./archive/archive.db"}}


class PowerCutTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        skip_unless_tracing_is_permitted()

    def site(self, folder, backend, mail):
        site = Archive(folder, {"paths": [str(mail)]}, provider="mailfiles")
        site.profile["archive"]["storage"] = {"backend": backend, "config": CONFIGS[backend]}
        site.write_profile()
        return site

    def tell_story(self, backend):
        """Three runs that each archive some mail: the states of the disk in between, and what had
        been acknowledged before each."""
        mail = self.folder / f"{backend}-mail"
        mail.mkdir()
        site = self.site(self.folder / backend / "site", backend, mail)
        disk = Disk(site.folder)
        cuts, acknowledged = [], frozenset()
        for run in range(3):
            for number in range(2):
                text = f"Subject: {run}.{number}\r\n\r\n".encode() + os.urandom(3000).hex().encode()
                (mail / f"{run}-{number}.eml").write_bytes(text)
            done, _ = operations(site.command("sync"))
            disk.open.clear()
            for op in done:
                if disk.do(op):
                    cuts.append((disk_states(disk), acknowledged, f"run {run + 1}, {op.name}"))
            acknowledged = frozenset(hashlib.sha256(f.read_bytes()).hexdigest()
                                     for f in mail.iterdir())
        # The model is right: without a cut it shows what is on the disk.
        for path, content in disk.after_power_cut(names=True, contents=True).items():
            real = site.folder / path
            if content is None:
                self.assertTrue(real.is_dir(), path)
            elif not path.endswith("-shm"):  # written through memory
                self.assertEqual(real.read_bytes(), content, path)
        return mail, cuts, acknowledged

    def test_nothing_acknowledged_is_lost_and_nothing_needs_repair(self):
        for backend in CONFIGS:
            mail, cuts, everything = self.tell_story(backend)
            self.assertGreater(len(cuts), 100)
            nothing_new = self.folder / f"{backend}-empty"
            nothing_new.mkdir()
            step = max(1, len(cuts) // CUTS) if CUTS else 1
            print(f"{backend}: {len(cuts)} moments, every {step}.")
            # Not always the same ones of a commit.
            for states, acknowledged, moment in cuts[step // 2::step]:
                for what, state in states().items():
                    with self.subTest(backend=backend, moment=moment, survived=what):
                        self.look_at(backend, state, acknowledged, nothing_new, mail, everything)

    def look_at(self, backend, state, acknowledged, nothing_new, mail, everything):
        folder = self.folder / "found"
        shutil.rmtree(folder, ignore_errors=True)
        put_down(state, folder)
        site = self.site(folder, backend, nothing_new)
        if acknowledged:
            report = site.json("verify")
            self.assertEqual([f for f in report["findings"] if f["damage"]], [])
        site.run("sync")
        if acknowledged:
            there = {e["sha256"] for e in site.export("before")}
            self.assertEqual(acknowledged - there, set(), "acknowledged and lost")
        site = self.site(folder, backend, mail)
        site.run("sync")
        self.assertEqual({e["sha256"] for e in site.export("after")}, everything)
        site.run("verify")


def disk_states(disk):
    """What may be found after a cut at this moment; made when it is looked at."""
    worst = disk.after_power_cut(names=False, contents=False)
    names = disk.after_power_cut(names=True, contents=False)
    contents = disk.after_power_cut(names=False, contents=True)
    return lambda: {"nothing unsynced": worst, "names only": names, "contents only": contents}


if __name__ == "__main__":
    unittest.main(verbosity=2)
