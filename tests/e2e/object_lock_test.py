"""An archive in a bucket with Object Lock: the whole program against a real store, and boto3 as the
one who looks, and who tries to delete. The store's clock is right; the program's is put ahead where
time has to pass."""

import datetime
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import unittest

from botocore.exceptions import ClientError
from harness import Archive, ArchiverTest, running
from s3_bucket import Bucket

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
DAY = 86400
OBJECT_LOCK = {"object_lock": "governance", "single_writer": True}


def first_of_month_after(when):
    """As docs/retention.md says: all of a month goes together."""
    year, month = (when.year + when.month // 12, when.month % 12 + 1)
    return datetime.datetime(year, month, 1, tzinfo=datetime.timezone.utc)


class ObjectLockTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.bucket = Bucket(object_lock=True)
        self.site = self.site_in(self.bucket, OBJECT_LOCK)

    def site_in(self, bucket, more, name="site"):
        site = Archive(self.folder / name, {"paths": ["./mail"]}, provider="mailfiles")
        site.profile["archive"]["storage"] = {
            "backend": "s3", "config": {**bucket.config(site.folder), **more}}
        site.write_profile()
        (site.folder / "mail").mkdir()
        return site

    def mail(self, name, received, size=2000):
        body = random.Random(name).randbytes(size).hex()
        file = self.site.folder / "mail" / f"{name}.eml"
        file.write_text(f"From: a@example.org\r\nTo: b@example.org\r\nSubject: {name}\r\n"
                        f"Message-ID: <{name}@example.org>\r\n\r\n{body}\r\n")
        os.utime(file, (received, received))

    def ahead(self, days):
        return {**os.environ, "LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+{days}d",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def run_at(self, days, *arguments, expect=0):
        """With the program's clock so many days ahead."""
        done = subprocess.run(self.site.command(*arguments), capture_output=True, timeout=600,
                              env=self.ahead(days))
        self.assertEqual(done.returncode, expect, done.stderr.decode(errors="replace")[-3000:])
        return done

    def approve_at(self, days, policies):
        self.site.profile["archive"]["retention"] = policies
        self.site.write_profile()
        code = json.loads(self.run_at(days, "--json", "retention", "simulate").stdout)["approval"]["code"]
        return json.loads(
            self.run_at(days, "--json", "retention", "apply", "--approve", code).stdout)

    def locks(self):
        return self.site.json("retention", "list")["locks"]

    def objects(self, prefix=""):
        """The objects that are there, and how they are protected: (until, held)."""
        found = {}
        with self.bucket.client() as client:
            for page in client.get_paginator("list_objects_v2").paginate(
                    Bucket=self.bucket.name, Prefix="mail/" + prefix):
                for entry in page.get("Contents", []):
                    head = client.head_object(Bucket=self.bucket.name, Key=entry["Key"])
                    if "ObjectLockMode" in head:
                        self.assertEqual(head["ObjectLockMode"], "GOVERNANCE")
                    found[entry["Key"].removeprefix("mail/")] = (
                        head.get("ObjectLockRetainUntilDate"),
                        head.get("ObjectLockLegalHoldStatus") == "ON")
        return found

    def days_left(self, until):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (until - now).total_seconds() / DAY

    def versions(self, key):
        with self.bucket.client() as client:
            listed = client.list_object_versions(Bucket=self.bucket.name, Prefix="mail/" + key)
        self.assertEqual(listed.get("DeleteMarkers", []), [])
        return listed.get("Versions", [])

    def assert_can_not_be_deleted(self, key):
        with self.bucket.client() as client:
            for version in self.versions(key):
                with self.assertRaises(ClientError) as refused:
                    client.delete_object(Bucket=self.bucket.name, Key=version["Key"],
                                         VersionId=version["VersionId"])
                self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDenied")


@unittest.skipUnless(FAKETIME.exists(), "needs the package faketime")
class ObjectLock(ObjectLockTest):
    def test_what_is_archived_is_locked_and_what_is_replaced_is_not(self):
        for number in range(5):
            self.mail(f"m{number}", time.time() - number * DAY)
        self.site.sync()
        objects = self.objects()
        packs = [key for key in objects if key.startswith("packs/")]
        log = [key for key in objects if key.startswith(("log/", "heads/", "archive"))]
        self.assertTrue(packs and len(log) >= 3, objects)
        for key in packs:
            self.assertAlmostEqual(self.days_left(objects[key][0]), 7, delta=0.1)
            self.assert_can_not_be_deleted(key)
        for key in log:
            self.assertAlmostEqual(self.days_left(objects[key][0]), 90, delta=0.1)
        self.assert_can_not_be_deleted(log[0])
        self.assertEqual(objects["keyring"], (None, False))
        self.assertNotIn("lease", objects)
        for key in ("keyring", "lease"):
            self.assertLessEqual(len(self.versions(key)), 1, "earlier versions stay behind")
        locks = self.locks()
        self.assertEqual((locks["packs"], locks["failed"], locks["error"]), (len(packs), 0, None))
        self.assertIn("Locks of the store", self.site.run("retention", "list").stdout.decode())
        self.site.run("verify")
        self.assertEqual(len(self.fresh_export(self.site)), 5)

    def test_a_copy_is_locked_as_the_archive_is(self):
        self.mail("m", time.time())
        self.site.sync()
        source, self.bucket = self.bucket, Bucket(object_lock=True)
        target = self.site_in(self.bucket, OBJECT_LOCK, "target")
        self.site.run("copy", "--to", target.folder / "profile.json")
        self.assertNotEqual(source.name, self.bucket.name)
        log = {key: until for key, (until, _) in self.objects().items()
               if key.startswith(("log/", "heads/", "archive"))}
        self.assertEqual({key.split("/")[0] for key in log}, {"log", "heads", "archive"})
        for key, until in log.items():
            self.assertIsNotNone(until, key)
            self.assertAlmostEqual(self.days_left(until), 90, delta=0.1)

    def test_a_new_hold_is_the_store_s_at_once(self):
        self.mail("m", time.time())
        self.site.sync()
        self.site.run("hold", "place", "--matter", "m", "--reason", "r")
        packs = self.objects("packs/")
        self.assertTrue(packs and all(held for _, held in packs.values()), packs)

    def test_packs_are_sorted_by_when_they_expire_and_locked_until_then(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        received = [now - datetime.timedelta(days=days) for days in (20, 21, 60, 61, 100, 101)]
        for number, when in enumerate(received):
            self.mail(f"m{number}", when.timestamp())
        self.mail("old", (now - datetime.timedelta(days=800)).timestamp())
        self.site.sync()
        before = set(self.objects("packs/"))
        policy = [{"id": "a-year", "keep": "365d"}]

        with self.subTest("nothing is touched before its time"):
            self.assertEqual(self.approve_at(1, policy)["policies"][0]["locked_items"], 1)
            self.assertEqual(set(self.objects("packs/")), before)
            self.assertEqual(self.locks()["waiting"], len(before))
        with self.subTest("a pack for each month, locked to its end"):
            self.approve_at(6, policy)
            after = self.objects("packs/")
            fresh = set(after) - before
            self.assertTrue(before <= set(after), "a locked pack is gone")
            ends = {first_of_month_after(when + datetime.timedelta(days=365)) for when in received}
            self.assertEqual({after[key][0] for key in fresh}, ends)
            self.assertEqual(len(fresh), len(ends))
            for key in fresh:
                self.assert_can_not_be_deleted(key)
            self.assertEqual(self.locks()["failed"], 0)
        with self.subTest("nothing was lost"):
            self.site.run("verify")
            self.assertEqual(len(self.fresh_export(self.site)), 7)
            shutil.rmtree(self.site.folder / "catalog")
            self.site.run("rebuild")
            self.site.run("verify")
            self.assertEqual(self.site.sync()["items"]["new"], 0)
        with self.subTest("what is not needed goes when the store lets it"):
            # The first lock is over by the program's clock, and not by the store's.
            effect = self.approve_at(8.5, policy)["policies"][0]
            self.assertEqual((effect["due"]["items"], effect["locked_items"]), (1, 0))
            self.run_at(10, "sync")
            self.assertTrue(before <= set(self.objects("packs/")))
            self.assertGreaterEqual(self.locks()["not_needed"]["packs"], 1)
        with self.subTest("whole packs go, and those that the store keeps are no reason to fail"):
            effect = self.approve_at(365 + 120, policy)["policies"][0]
            self.assertEqual((effect["due"]["items"], effect["locked_items"]), (6, 0))
            self.assertEqual(self.fresh_export(self.site), [])
            self.assertTrue(fresh <= set(self.objects("packs/")))
            self.site.run("verify")

    def test_packs_without_an_end_are_locked_again_and_again(self):
        for number in range(3):
            self.mail(f"m{number}", time.time() - number * DAY, 3_000_000)
        self.site.sync()
        packs = self.objects("packs/")
        for days, left in ((0, 7), (6, 96), (20, 96), (40, 130)):
            self.run_at(days, "sync")
            for key, (until, _) in self.objects("packs/").items():
                self.assertIn(key, packs)
                self.assertAlmostEqual(self.days_left(until), left, delta=0.2)
        marker = self.objects("archive")["archive"][0]
        self.assertAlmostEqual(self.days_left(marker), 130, delta=0.2)

    def test_holds_are_on_the_store_too(self):
        self.mail("held", time.time() - 5 * DAY)
        self.site.sync()
        placed = self.site.json("hold", "place", "--matter", "Case 7", "--reason", "a claim")
        self.run_at(1.1, "sync")
        self.assertEqual({held for _, held in self.objects("packs/").values()}, {True})
        self.assertEqual(self.locks()["held"], 1)
        self.site.run("hold", "release", placed["id"], "--reason", "settled")
        self.run_at(2.2, "sync")
        self.assertEqual({held for _, held in self.objects("packs/").values()}, {False})

    def test_verify_tells_of_a_lock_that_somebody_took_off(self):
        self.mail("m", time.time() - 5 * DAY)
        self.site.sync()
        self.assertEqual(self.site.json("verify")["findings"], [])
        pack, = self.objects("packs/")
        with self.bucket.client() as client:
            client.put_object_retention(
                Bucket=self.bucket.name, Key=f"mail/{pack}", BypassGovernanceRetention=True,
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate":
                           datetime.datetime.now() + datetime.timedelta(days=1)})
        report = self.site.json("verify")
        self.assertFalse(report["damaged"])
        self.assertEqual([(f["kind"], f["object"]) for f in report["findings"]],
                         [("lock_shortened", pack)])

    def test_a_kill_while_packs_are_sorted_loses_nothing(self):
        for number in range(40):
            self.mail(f"m{number}", time.time() - number * 12 * DAY, 100_000)
        self.site.sync()
        self.site.profile["archive"]["retention"] = [{"id": "all", "keep": "5y"}]
        self.site.write_profile()
        code = self.site.json("retention", "simulate")["approval"]["code"]
        for delay in (0.4, 0.8, 1.2, 1.6):
            process = self.site.start("retention", "apply", "--approve", code, env=self.ahead(6),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
            self.site.run("verify")
        self.run_at(6, "retention", "apply", "--approve", code)
        report = self.site.json("verify")
        self.assertEqual(len(self.fresh_export(self.site)), 40)
        # A kill between a put and its lock leaves a pack that nothing names, and so nothing depends on.
        unnamed = {f["object"] for f in report["findings"] if f["kind"] == "unreferenced_pack"}
        for key, (until, _) in self.objects("packs/").items():
            if key not in unnamed:
                self.assertIsNotNone(until, key)

    def test_buckets_that_do_not_fit_are_refused_with_what_to_do(self):
        cases = [("plain", Bucket(), OBJECT_LOCK, "--object-lock-enabled-for-bucket"),
                 ("two-writers", self.bucket, {"object_lock": "governance"}, "single_writer")]
        for name, bucket, more, words in cases:
            with self.subTest(name):
                site = self.site_in(bucket, more, name)
                refused = site.run("sync", expect=None)
                self.assertNotEqual(refused.returncode, 0)
                self.assertIn(words, refused.stderr.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
