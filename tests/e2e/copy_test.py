"""copy --to: a second copy of an archive on any backend, refreshed, cut short, beside a service."""

import hashlib
import json
import shutil
import signal
import subprocess
import time
import unittest

from harness import Archive, ArchiverTest, running, wait_until
from raw_objects import BACKENDS, FolderObjects
from traced import killed_at, skip_unless_tracing_is_permitted


class CopyTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.sent = {}

    def deliver(self, count=2, size=3000):
        for _ in range(count):
            number = len(self.sent)
            text = f"Subject: {number}\r\n\r\n".encode() + hashlib.shake_256(
                str(number).encode()).hexdigest(size).encode()
            (self.mail / f"{number}.eml").write_bytes(text)
            self.sent[hashlib.sha256(text).hexdigest()] = number

    def site(self, name, kind, **changes):
        site = Archive(self.folder / name, {"paths": [str(self.mail)]}, provider="mailfiles",
                       **changes)
        objects = kind(site.folder)
        site.profile["archive"]["storage"] = {"backend": kind.backend, "config": objects.config}
        site.write_profile()
        return site, objects

    def copy(self, site, target, *arguments, expect=0):
        return site.json("copy", "--to", target.folder / "profile.json", *arguments, expect=expect)

    def assert_is_copy(self, target, objects, original):
        """It has the same objects, and opens with the same key as an archive of its own."""
        keys = [k for k in original.keys() if k != "lease"]
        self.assertEqual([k for k in objects.keys() if k != "lease"], keys)
        for key in keys:
            self.assertEqual(objects.get(key), original.get(key), key)
        key = target.folder / "archive.key"
        if not key.exists():
            shutil.copy(self.folder / "source" / "archive.key", key)
        shutil.rmtree(target.folder / "catalog", ignore_errors=True)
        target.run("rebuild")
        self.assertEqual(target.json("verify")["findings"], [])
        entries = self.fresh_export(target)
        self.assertEqual({e["sha256"] for e in entries}, set(self.sent))

    def test_a_copy_is_made_refreshed_and_verified_from_and_to_every_backend(self):
        pairs = [("filesystem", "sqlite"), ("filesystem", "s3"), ("sqlite", "filesystem"),
                 ("s3", "filesystem")]
        for number, (from_kind, to_kind) in enumerate(pairs):
            with self.subTest(source=from_kind, target=to_kind):
                shutil.rmtree(self.folder / "source", ignore_errors=True)
                site, original = self.site("source", BACKENDS[from_kind])
                target, objects = self.site(f"target-{number}", BACKENDS[to_kind])
                self.deliver()
                site.sync()
                self.deliver(1, 400_000)
                site.sync()
                report = self.copy(site, target)
                self.assertTrue(report["complete"])
                for what in ("packs", "segments"):
                    self.assertEqual(report[what]["copied"], report[what]["total"])
                    self.assertGreater(report[what]["total"], 1)
                self.assert_is_copy(target, objects, original)
                self.assertEqual(self.copy(site, target)["bytes_copied"], 0)
                self.deliver()
                site.sync()
                report = self.copy(site, target)
                self.assertEqual(report["packs"]["copied"], 1)
                self.assertLess(report["segments"]["copied"], report["segments"]["total"])
                self.assert_is_copy(target, objects, original)

    def test_no_key_is_needed(self):
        site, original = self.site("source", FolderObjects)
        self.deliver()
        site.sync()
        target, objects = self.site("target", BACKENDS["sqlite"])
        key = site.folder / "archive.key"
        kept = key.read_text()
        key.unlink()
        self.assertTrue(self.copy(site, target)["complete"])
        self.assertFalse(key.exists())
        self.assertFalse((target.folder / "archive.key").exists())
        key.write_text(kept)
        key.chmod(0o600)
        self.assert_is_copy(target, objects, original)

    def test_an_archive_without_encryption(self):
        plain = {"archive": {"catalog": {"path": "./catalog"}, "free_space_floor": 0,
                             "encryption": {"mode": "none"}}}
        site, original = self.site("source", FolderObjects, **plain)
        target, objects = self.site("target", FolderObjects, **plain)
        self.deliver()
        site.sync()
        (site.folder / "archive.key").write_text("there is none")
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)

    def test_a_copy_that_was_cut_short_is_no_archive_and_goes_on(self):
        skip_unless_tracing_is_permitted()
        site, original = self.site("source", FolderObjects)
        for _ in range(12):
            self.deliver(1, 100_000)
            site.sync()
        target, objects = self.site("target", FolderObjects)
        command = site.command("copy", "--to", target.folder / "profile.json")
        cut = 0
        for number in (3, 4, 5, 7, 9, 12):
            if not killed_at(command, "link", number):
                break
            cut += 1
            self.assertNotIn("archive", objects.keys())
            for verb in ("sync", "verify", "rebuild"):
                said = target.run(verb, expect=None)
                self.assertIn(said.returncode, (4, 5))
                self.assertIn(b"not finished", said.stderr)
        self.assertGreater(cut, 2)
        self.assertTrue(self.copy(site, target)["complete"])
        self.assert_is_copy(target, objects, original)

    def test_a_refresh_that_was_cut_short_leaves_the_archive_that_it_was(self):
        skip_unless_tracing_is_permitted()
        site, original = self.site("source", FolderObjects)
        target, objects = self.site("target", FolderObjects)
        self.deliver()
        site.sync()
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)
        known = set(self.sent)
        for _ in range(6):
            self.deliver(1, 50_000)
            site.sync()
        command = site.command("copy", "--to", target.folder / "profile.json")
        for number in (2, 3, 4):
            self.assertTrue(killed_at(command, "link", number))
            shutil.rmtree(target.folder / "catalog")
            target.run("rebuild")
            report = target.json("verify")
            self.assertEqual([f for f in report["findings"] if f["damage"]], [])
            there = {e["sha256"] for e in self.fresh_export(target)}
            self.assertEqual(known - there, set())
            known |= there
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)

    def test_targets_that_are_refused_stay_as_they_are(self):
        site, original = self.site("source", FolderObjects)
        self.deliver()
        site.sync()
        target, objects = self.site("target", FolderObjects)
        self.deliver()
        target.sync()
        before = {key: objects.get(key) for key in objects.keys()}

        def refused(words, code=4):
            said = site.run("copy", "--to", target.folder / "profile.json", expect=code).stderr
            for word in words:
                self.assertIn(word, said.decode())
            self.assertEqual({key: objects.get(key) for key in objects.keys()}, before)

        refused(["another archive", "empty place"])
        shutil.rmtree(objects.root)
        objects.put("somebody/else", b"theirs")
        before = {"somebody/else": b"theirs"}
        refused(["somebody/else", "empty place"])
        shutil.rmtree(objects.root)
        (target.folder / "archive.key").unlink()
        site.sync()
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)
        # The copy goes on on its own: it is newer, then both are.
        self.deliver()
        target.sync()
        before = {key: objects.get(key) for key in objects.keys()}
        refused(["newer", "empty place"])
        # An older state of the source put back.
        writer = original.keys("log/")[-1]
        kept = original.get(writer)
        original.remove(writer)
        refused(["newer"])
        original.put(writer, kept)
        bad = target.folder / "profile.json"
        bad.write_text(bad.read_text().replace('"root"', '"rooot"'))
        said = site.run("copy", "--to", bad, expect=2).stderr.decode()
        self.assertIn("/archive/storage/config/rooot", said)
        site.run("copy", expect=2)

    def test_a_place_is_no_copy_of_itself(self):
        site, original = self.site("source", FolderObjects)
        self.deliver()
        site.sync()
        error = self.copy(site, site, expect=4)["error"]
        self.assertIn("own place", error["message"])
        self.assertNotIn("lease", original.keys())

    def test_an_older_keyring_does_not_bring_forgotten_keys_back(self):
        site, original = self.site("source", FolderObjects)
        target, objects = self.site("target", FolderObjects)
        self.deliver()
        site.sync()
        old = original.get("keyring")
        account = site.json("accounts")["accounts"][0]["id"]
        site.json("forget", account, "--reason", "asked")
        self.copy(site, target)
        kept = objects.get("keyring")
        self.assertNotEqual(kept, old)
        original.put("keyring", old)
        error = self.copy(site, target, expect=6)["error"]
        self.assertIn("newer keyring", error["message"])
        self.assertEqual(objects.get("keyring"), kept)

    def test_damage_in_the_source_is_named_and_what_is_sound_is_copied(self):
        site, original = self.site("source", FolderObjects)
        for _ in range(4):
            self.deliver(1)
            site.sync()
        target, objects = self.site("target", FolderObjects)
        pack, segment = original.keys("packs/")[1], original.keys("log/")[-2]
        for key in (pack, segment):
            with self.subTest(key=key):
                kept = original.get(key)
                original.put(key, kept[:-1] + bytes([kept[-1] ^ 1]))
                report = self.copy(site, target, expect=5)
                self.assertFalse(report["complete"])
                self.assertEqual(len(report["damage"]), 1)
                self.assertTrue(report["damage"][0].startswith(key))
                self.assertNotIn("archive", objects.keys())
                original.put(key, kept)
        packs = len(original.keys("packs/"))
        self.assertEqual(len(objects.keys("packs/")), packs)
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)
        # A pack of the target that was cut is replaced.
        objects.put(pack, b"cut")
        self.assertEqual(self.copy(site, target)["packs"]["copied"], 1)
        self.assert_is_copy(target, objects, original)

    def test_a_copy_beside_a_running_service_and_a_target_in_use(self):
        site, original = self.site("source", FolderObjects)
        site.profile["sources"][0]["schedule"] = {"every": "1s"}
        site.write_profile()
        target, objects = self.site("target", FolderObjects)
        with running(site.start("serve", stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)) as service:
            wait_until(lambda: "archive" in original.keys(), what="an archive")
            for _ in range(6):
                self.deliver(3, 50_000)
                self.assertTrue(self.copy(site, target)["complete"])
                key = target.folder / "archive.key"
                if not key.exists():
                    shutil.copy(site.folder / "archive.key", key)
                shutil.rmtree(target.folder / "catalog", ignore_errors=True)
                target.run("rebuild")
                self.assertEqual([f for f in target.json("verify")["findings"] if f["damage"]], [])
                time.sleep(0.5)
            # The place that the service writes to is in use, as a target.
            said = target.run("copy", "--to", site.folder / "profile.json", expect=6).stderr
            self.assertIn(str(service.pid), said.decode())
            service.send_signal(signal.SIGTERM)
            service.wait(20)
        site.sync()
        self.copy(site, target)
        self.assert_is_copy(target, objects, original)
        self.assertEqual(json.loads(original.get("archive")), json.loads(objects.get("archive")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
