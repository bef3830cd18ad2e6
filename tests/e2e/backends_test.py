"""Every storage backend carries the whole program."""

import shutil
import signal
import subprocess
import time
import unittest

from harness import ArchiverTest, Simulator, running
from s3_bucket import Bucket

BACKENDS = {
    "filesystem": lambda folder: {"root": "./archive"},
    "s3": lambda folder: Bucket().config(folder),
    "sqlite": lambda folder: {"file": "./archive/archive.db"},
}


class BackendsTest(ArchiverTest):
    def archives(self, simulator):
        for backend, config in BACKENDS.items():
            with self.subTest(backend=backend):
                archive = self.archive(simulator, backend)
                archive.profile["archive"]["storage"] = {
                    "backend": backend, "config": config(archive.folder)}
                archive.write_profile()
                yield archive

    def test_an_archive_is_filled_verified_lost_its_catalog_and_goes_on(self):
        with Simulator("--users", 3, "--messages", 80) as simulator:
            for archive in self.archives(simulator):
                archive.sync()
                simulator.control("deliver", {"user": simulator.users()[0]["id"],
                                              "folder": "inbox", "count": 4})
                self.assertGreaterEqual(archive.sync()["items"]["new"], 4)
                self.assert_archived(simulator, archive)
                archive.run("verify")
                shutil.rmtree(archive.folder / "catalog")
                archive.run("rebuild")
                self.assertEqual(archive.sync()["items"]["new"], 0)
                self.assert_archived(simulator, archive)

    def test_kills_lose_nothing(self):
        with Simulator("--users", 4, "--messages", 150, "--latency-ms", 30) as simulator:
            for archive in self.archives(simulator):
                for delay in (0.3, 0.7, 1.1):
                    process = archive.start("sync", stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL)
                    with running(process):
                        time.sleep(delay)
                        process.send_signal(signal.SIGKILL)
                archive.sync()
                self.assert_archived(simulator, archive)
                archive.run("verify")

    def test_what_another_client_copies_off_s3_is_an_archive_in_a_folder(self):
        with Simulator("--users", 2, "--messages", 60) as simulator:
            archive = self.archive(simulator, "copied")
            bucket = Bucket()
            archive.profile["archive"]["storage"] = {
                "backend": "s3", "config": bucket.config(archive.folder)}
            archive.write_profile()
            archive.sync()
            shutil.rmtree(archive.folder / "catalog")
            self.assertGreater(bucket.download(archive.folder / "archive"), 5)
            archive.profile["archive"]["storage"] = {
                "backend": "filesystem", "config": {"root": "./archive"}}
            archive.write_profile()
            archive.run("rebuild")
            archive.run("verify")
            self.assertEqual(archive.sync()["items"]["new"], 0)
            self.assert_archived(simulator, archive)

    def test_a_store_that_can_not_keep_two_engines_apart_is_not_written_to(self):
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator, "versions")
            bucket = Bucket(versions=True)
            archive.profile["archive"]["storage"] = {
                "backend": "s3", "config": bucket.config(archive.folder)}
            archive.write_profile()
            refused = archive.run("sync", expect=None)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn(b"If-None-Match", refused.stderr)
            self.assertEqual(bucket.download(archive.folder / "archive"), 1)  # the probe


if __name__ == "__main__":
    unittest.main(verbosity=2)
