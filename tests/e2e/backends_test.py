"""Every storage backend carries the whole program."""

import shutil
import signal
import subprocess
import time
import unittest

from harness import ArchiverTest, Simulator, running

BACKENDS = {
    "filesystem": {"root": "./archive"},
    "sqlite": {"file": "./archive/archive.db"},
}


class BackendsTest(ArchiverTest):
    def archives(self, simulator):
        for backend, config in BACKENDS.items():
            with self.subTest(backend=backend):
                archive = self.archive(simulator, backend)
                archive.profile["archive"]["storage"] = {"backend": backend, "config": config}
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
