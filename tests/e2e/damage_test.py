"""What another program did to an archive's objects, on every backend: verify names it, nothing is
made worse, and what is put back makes the archive whole again."""

import hashlib
import json
import shutil
import unittest

from harness import Archive, ArchiverTest
from raw_objects import BACKENDS


def flipped(content):
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0x10
    return bytes(changed)


class DamageTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()

    def deliver(self, number):
        text = (f"Subject: {number}\r\n\r\n" + "text %d " % number * 400).encode()
        (self.mail / f"{number}.eml").write_bytes(text)

    def archives(self):
        """Of four segments and packs at least, on each backend."""
        for number in range(8):
            self.deliver(number)
        for backend, kind in BACKENDS.items():
            with self.subTest(backend=backend):
                site = Archive(self.folder / backend, {"paths": ["../mail"]}, provider="mailfiles")
                objects = kind(site.folder)
                site.profile["archive"]["storage"] = {"backend": backend, "config": objects.config}
                site.write_profile()
                shutil.rmtree(self.mail)
                self.mail.mkdir()
                for number in range(0, 8, 2):
                    self.deliver(number)
                    self.deliver(number + 1)
                    site.sync()
                yield site, objects

    def assert_found(self, site, kind, key, *arguments):
        report = site.json("verify", *arguments, expect=5)
        found = {(f["kind"], f["object"]) for f in report["findings"] if f["damage"]}
        self.assertIn((kind, key), found)
        message = next(f["message"] for f in report["findings"] if f["object"] == key)
        self.assertTrue(message)
        return report

    def test_objects_that_were_changed_are_named_and_can_be_put_back(self):
        for site, objects in self.archives():
            packs, segments = objects.keys("packs/"), objects.keys("log/")
            self.assertGreaterEqual(min(len(packs), len(segments)), 3)
            kinds = {"packs/": "pack", "log/": "segment"}
            for prefix, keys in (("packs/", packs), ("log/", segments)):
                key, other = keys[1], keys[2]
                kept = {k: objects.get(k) for k in (key, other)}
                damages = {
                    "removed": lambda: objects.remove(key),
                    "truncated": lambda: objects.put(key, kept[key][:-7]),
                    "bit flipped": lambda: objects.put(key, flipped(kept[key])),
                    "something appended": lambda: objects.put(key, kept[key] + b"\0"),
                    "exchanged": lambda: (objects.put(key, kept[other]),
                                          objects.put(other, kept[key])),
                }
                for what, damage in damages.items():
                    with self.subTest(what=what, of=prefix):
                        damage()
                        wrong = "missing" if what == "removed" else "damaged"
                        self.assert_found(site, f"{kinds[prefix]}_{wrong}", key)
                        for k, content in kept.items():
                            objects.put(k, content)
            self.assertEqual(site.json("verify")["findings"], [])
            self.deliver(99)
            self.assertEqual(site.sync()["items"]["new"], 1)
            shutil.rmtree(site.folder / "catalog")
            site.run("rebuild")
            self.assertEqual(len(self.fresh_export(site)), 9)

    def test_duplicates_are_no_part_of_the_archive(self):
        for site, objects in self.archives():
            pack, segment = objects.keys("packs/")[0], objects.keys("log/")[-1]
            name = hashlib.sha256(b"another name").hexdigest()
            copy = f"packs/{name[:2]}/{name}"
            objects.put(copy, objects.get(pack))
            report = site.json("verify")
            self.assertEqual({(f["kind"], f["object"]) for f in report["findings"]},
                             {("unreferenced_pack", copy)})
            objects.remove(copy)
            # A segment once more, under the next number: it does not follow itself.
            writer, number = segment.rsplit("/", 1)
            copy = f"{writer}/{int(number) + 1:020d}"
            objects.put(copy, objects.get(segment))
            self.assert_found(site, "segment_damaged", copy)
            before = objects.keys()
            self.deliver(98)
            said = site.run("sync", expect=4).stderr.decode()
            self.assertIn(copy, said)
            self.assertEqual(objects.keys(), before)
            objects.remove(copy)
            self.assertEqual(site.sync()["items"]["new"], 1)
            self.assertEqual(site.json("verify")["findings"], [])

    def test_the_keyring_and_the_marker_are_checked_before_anything_is_written(self):
        for site, objects in self.archives():
            for key in ("archive", "keyring"):
                kept = objects.get(key)
                for what, content in (("bit flipped", flipped(kept)), ("truncated", kept[:-3]),
                                      ("removed", None)):
                    with self.subTest(key=key, what=what):
                        objects.remove(key) if content is None else objects.put(key, content)
                        before = objects.keys()
                        self.deliver(97)
                        said = site.run("sync", expect=4).stderr.decode()
                        self.assertIn(key, said)
                        self.assertIn("copy of the archive" if content is not None or
                                      key == "keyring" else "bring the object", said)
                        site.run("verify", expect=5)
                        self.assertEqual(objects.keys(), before)
                        objects.put(key, kept)
            site.sync()
            self.assertEqual(site.json("verify")["findings"], [])

    def test_a_newer_format_and_another_key_are_refused(self):
        for site, objects in self.archives():
            kept = objects.get("archive")
            document = json.loads(kept)
            document["format"] = 99
            objects.put("archive", json.dumps(document).encode())
            said = site.run("sync", expect=4).stderr.decode()
            self.assertIn("99", said)
            self.assertIn("newer engine", said)
            objects.put("archive", kept)
            key = site.folder / "archive.key"
            right = key.read_text()
            key.unlink()
            site.run("key", "new", "--output", key)
            before = objects.keys()
            said = site.run("sync", expect=4).stderr.decode()
            self.assertIn("check value", said)
            self.assertEqual(objects.keys(), before)
            key.unlink()
            key.write_text(right)
            key.chmod(0o600)
            site.run("verify")


if __name__ == "__main__":
    unittest.main(verbosity=2)
