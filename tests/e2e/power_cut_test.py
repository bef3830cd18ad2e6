"""A power cut at any moment: what was not synced is gone, or only some of it is. What earlier runs
acknowledged is there, verify is clean, and the next run goes on without anybody's help."""

import copy
import hashlib
import os
import shutil
import unittest

from disk_model import Disk, File, put_down
from harness import Archive, ArchiverTest
from traced import operations, skip_unless_tracing_is_permitted

# How many moments of the whole story are looked at; 0: all of them.
CUTS = int(os.environ.get("OPENARCHIVER_TEST_CUTS", "10"))
CONFIGS = {"filesystem": {"root": "./archive"}, "sqlite": {"file": "./archive/archive.db"}}


def lasting_segments(disk):
    """In a folder; the other backend's objects are in its one file."""
    return sum("/log/" in path and isinstance(what, File) for path, what in disk.lasting.items())


def disk_states(disk):
    """What may be found after a cut at this moment."""
    return {"nothing unsynced": disk.after_power_cut(names=False, contents=False),
            "names only": disk.after_power_cut(names=True, contents=False),
            "contents only": disk.after_power_cut(names=False, contents=True)}


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
        """Three runs that each archive some mail: the disk before them, what each did to it, and
        what had been acknowledged before each."""
        mail = self.folder / f"{backend}-mail"
        mail.mkdir()
        site = self.site(self.folder / backend / "site", backend, mail)
        before = Disk(site.folder)
        story, acknowledged = [], [frozenset()]
        for run in range(3):
            for number in range(2):
                text = f"Subject: {run}.{number}\r\n\r\n".encode() + os.urandom(3000).hex().encode()
                (mail / f"{run}-{number}.eml").write_bytes(text)
            done, _ = operations(site.command("sync"))
            story += [(run, op) for op in done]
            acknowledged.append(frozenset(hashlib.sha256(f.read_bytes()).hexdigest()
                                          for f in mail.iterdir()))
        return mail, site, before, story, acknowledged

    def moments(self, disk, story):
        """The places in the story where something changed, and whether the log has just become
        longer while the catalog has yet to follow."""
        for place, (_, op) in enumerate(story):
            segments = lasting_segments(disk)
            if disk.do(op):
                yield place, lasting_segments(disk) > segments

    def test_nothing_acknowledged_is_lost_and_nothing_needs_repair(self):
        for backend in CONFIGS:
            mail, site, before, story, acknowledged = self.tell_story(backend)
            disk = copy.deepcopy(before)
            moments = list(self.moments(disk, story))
            self.assertGreater(len(moments), 100)
            self.assert_model_is_right(disk, site)
            step = max(1, len(moments) // CUTS) if CUTS else 1
            chosen = {place for place, _ in moments[step // 2::step]}
            chosen |= {place for place, narrow in moments if narrow}
            print(f"{backend}: {len(chosen)} of {len(moments)} moments")
            nothing_new = self.folder / f"{backend}-empty"
            nothing_new.mkdir()
            for place, (run, op) in enumerate(story):
                before.do(op)
                if place not in chosen:
                    continue
                for what, state in disk_states(before).items():
                    with self.subTest(backend=backend, moment=f"run {run + 1}, {place}: {op.name}",
                                      survived=what):
                        self.look_at(backend, state, acknowledged[run], nothing_new, mail,
                                     acknowledged[-1])

    def assert_model_is_right(self, disk, site):
        """Without a cut it shows what is on the disk."""
        for path, content in disk.after_power_cut(names=True, contents=True).items():
            real = site.folder / path
            if content is None:
                self.assertTrue(real.is_dir(), path)
            elif not path.endswith("-shm"):  # written through memory
                self.assertEqual(real.read_bytes(), content, path)

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


if __name__ == "__main__":
    unittest.main(verbosity=2)
