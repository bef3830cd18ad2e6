"""What administrators get wrong, and what the program tells them."""

import contextlib
import json
import os
import shutil
import subprocess
import unittest

from harness import Archive, ArchiverTest, Simulator, graph_config


@contextlib.contextmanager
def mounted(folder, options="size=64m"):
    """A file system of its own at the folder, to be full or read-only. Needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
                          capture_output=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"can't mount a file system: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


class MailFilesTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        mail = self.folder / "mail" / "ada"
        mail.mkdir(parents=True)
        for number in range(3):
            (mail / f"{number}.eml").write_bytes(f"Subject: {number}\r\n\r\nText.\r\n".encode())
        self.site = Archive(self.folder / "site", {"paths": [str(mail)]}, provider="mailfiles")

    def test_a_store_that_is_not_there_is_no_place_for_a_new_archive(self):
        self.site.sync()
        store = self.site.folder / "archive"
        moved = self.site.folder / "moved"
        store.rename(moved)
        for verb in ("sync", "rebuild"):
            with self.subTest(verb=verb):
                said = self.site.run(verb, expect=None)
                self.assertIn(said.returncode, (2, 4))
                self.assertIn(b"no archive", said.stderr)
                self.assertFalse(any(path.is_file() for path in store.rglob("*")))
        shutil.rmtree(store)
        moved.rename(store)
        self.site.run("verify")
        self.assertEqual(len(self.fresh_export(self.site)), 3)

    def test_the_catalog_of_another_archive_is_not_given_up(self):
        self.site.sync()
        catalog = (self.site.folder / "catalog" / "catalog.db").read_bytes()
        self.site.profile["archive"]["catalog"] = {"path": "./other"}
        self.site.profile["archive"]["storage"]["config"] = {"root": "./other-archive"}
        self.site.write_profile()
        self.site.sync()
        self.site.profile["archive"]["catalog"] = {"path": "./catalog"}
        self.site.write_profile()
        for verb in ("sync", "rebuild"):
            self.assertIn(b"move the catalog", self.site.run(verb, expect=4).stderr)
        self.assertEqual((self.site.folder / "catalog" / "catalog.db").read_bytes(), catalog)

    def test_names_and_values_that_mean_nothing(self):
        self.site.sync()
        ref = self.fresh_export(self.site)[0]["ref"]
        wrong = {
            "--output": ("export", "--format", "eml", "--output", ""),
            "--source": ("forget", ref, "--source", "nope", "--reason", "r"),
            "source \"nope\"": ("forget", "ada", "--source", "nope", "--reason", "r"),
            "negative": ("show", ref, "--version", "-1"),
            "--limit": ("search", "text", "--limit", "-1"),
            "--to-env": ("key", "rotate", "--to-env", ""),
        }
        for word, arguments in wrong.items():
            with self.subTest(arguments=arguments):
                said = self.site.json(*arguments, expect=2)["error"]["message"]
                self.assertIn(word, said)
        for option in ("--account", "--folder"):
            said = self.site.run("export", option, "nope", "--format", "eml", "--output",
                                 self.folder / option)
            self.assertIn(b"nope", said.stderr)
        self.assertEqual(len(self.fresh_export(self.site)), 3)

    def test_an_archive_without_encryption_wants_no_key(self):
        self.site.profile["archive"]["encryption"] = {"mode": "none"}
        self.site.write_profile()
        self.site.sync()
        del self.site.profile["archive"]["encryption"]
        self.site.write_profile()
        for verb in ("sync", "verify"):
            self.assertIn(b'{"mode": "none"}', self.site.run(verb, expect=4).stderr)


class BadInputTest(ArchiverTest):
    def test_wrong_credentials_say_what_to_do(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            archive = self.archive(simulator, client_secret="wrong")
            done = archive.run("sync", expect=3)
            output = (done.stdout + done.stderr).decode()
            self.assertIn("AADSTS7000215", output)
            self.assertIn("Value", output)
            self.assertNotIn("wrong\"", output)
            check = archive.run("source", "check", "contoso", expect=3)
            self.assertIn(b"AADSTS7000215", check.stdout + check.stderr)

    def test_a_missing_permission_is_named(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            archive = self.archive(simulator)
            simulator.control("settings", {"roles": ["User.Read.All"]})
            done = archive.run("sync", expect=3)
            self.assertIn("Mail.Read", (done.stdout + done.stderr).decode())
            simulator.control("settings", {"roles": ["Mail.Read"]})
            simulator.control("expire-tokens", {})
            done = archive.run("sync", expect=3)
            self.assertIn("User.Read.All", (done.stdout + done.stderr).decode())

    def test_an_endpoint_that_is_not_there(self):
        config = {"tenant_id": "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
                  "client_id": "c0ffee00-1111-4222-8333-444455556666", "client_secret": "x",
                  "authority_url": "http://127.0.0.1:9", "graph_url": "http://127.0.0.1:9"}
        archive = Archive(self.folder / "site", config)
        archive.run("sync", expect=7)

    def test_an_untrusted_certificate_is_refused(self):
        ca = self.folder / "ca.pem"
        with Simulator("--users", 1, "--messages", 1, "--https", 0, "--write-ca", ca) as simulator:
            ready = simulator.control("metrics")  # both listeners are up
            self.assertIsNotNone(ready)
            https = simulator.https
            config = graph_config(simulator, authority_url=https, graph_url=https)
            archive = Archive(self.folder / "untrusted", config)
            done = archive.run("sync", expect=7)
            self.assertIn("certificate", (done.stdout + done.stderr).decode().lower())
            trusted = Archive(self.folder / "trusted", dict(config, ca_file=str(ca)))
            trusted.sync()

    def test_a_profile_with_mistakes(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            archive = self.archive(simulator)
            archive.profile["sources"][0]["config"]["client_secrett"] = "x"
            archive.write_profile()
            done = archive.run("sync", expect=2)
            output = (done.stdout + done.stderr).decode()
            self.assertIn("/sources/0/config/client_secrett", output)
            self.assertIn("client_secret", output)
            self.assertEqual(simulator.requests(), [])

    def test_a_lost_key_and_another_key(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            key = archive.folder / "archive.key"
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)
            shutil.move(key, archive.folder / "kept")
            archive.run("sync", expect=4)
            self.assertFalse(key.exists(), "no new key is made for an archive that has one")
            archive.run("key", "new", "--output", key)
            done = archive.run("sync", expect=4)
            self.assertIn("key", (done.stdout + done.stderr).decode())
            shutil.move(archive.folder / "kept", key)
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_a_damaged_catalog_offers_rebuild(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            for path in (archive.folder / "catalog").glob("catalog.db*"):
                path.write_bytes(b"this is no database" * 100)
            done = archive.run("sync", expect=4)
            self.assertIn("rebuild", (done.stdout + done.stderr).decode())
            archive.run("rebuild")
            self.assertEqual(archive.sync()["items"]["new"], 0)
            self.assert_archived(simulator, archive)

    def test_an_archive_of_a_newer_format_is_left_alone(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            marker = archive.folder / "archive" / "archive"
            document = json.loads(marker.read_text())
            document["format"] = 99
            os.chmod(marker, 0o644)
            marker.write_text(json.dumps(document))
            done = archive.run("sync", expect=4)
            self.assertIn("99", (done.stdout + done.stderr).decode())

    def test_an_older_copy_of_the_archive_put_back_is_noticed(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            shutil.copytree(archive.folder / "archive", archive.folder / "older")
            simulator.control("deliver", {"user": simulator.users()[0]["id"], "folder": "inbox",
                                          "count": 2})
            archive.sync()
            shutil.rmtree(archive.folder / "archive")
            shutil.move(archive.folder / "older", archive.folder / "archive")
            done = archive.run("sync", expect=4)
            self.assertIn("rebuild", (done.stdout + done.stderr).decode())
            archive.run("rebuild")
            archive.sync()
            self.assert_archived(simulator, archive)
            archive.run("verify")

    def test_no_space_left_pauses_and_loses_nothing(self):
        with Simulator("--users", 1, "--messages", 20) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            simulator.control("deliver", {"user": simulator.users()[0]["id"], "folder": "inbox",
                                          "count": 3})
            archive.profile["archive"]["free_space_floor"] = "900TiB"
            archive.write_profile()
            done = archive.run("sync", expect=4)
            self.assertIn("free", (done.stdout + done.stderr).decode())
            archive.profile["archive"]["free_space_floor"] = "1MiB"
            archive.write_profile()
            archive.sync()
            self.assert_archived(simulator, archive)
            archive.run("verify")

    def test_a_disk_that_really_is_full_loses_nothing(self):
        for full in ("archive", "catalog"):
            with self.subTest(full=full), Simulator("--users", 1, "--messages", 0) as simulator:
                archive = self.archive(simulator, f"full-{full}")
                archive.profile["archive"]["free_space_floor"] = 0
                archive.write_profile()
                user = simulator.users()[0]["id"]
                with mounted(archive.folder / full, "size=24m"):
                    simulator.control("deliver", {"user": user, "folder": "inbox", "count": 20})
                    archive.sync()
                    for _ in range(12):
                        simulator.control("deliver", {"user": user, "folder": "inbox",
                                                      "size": 14_000_000})
                    done = archive.run("sync", expect=4)
                    self.assertIn("space", (done.stdout + done.stderr).decode())
                    subprocess.run(["mount", "-o", "remount,size=512m", archive.folder / full],
                                   check=True)
                    archive.sync()
                    self.assert_archived(simulator, archive)
                    archive.run("verify")

    def test_a_read_only_folder_is_named(self):
        for read_only in ("archive", "catalog"):
            with self.subTest(read_only=read_only), \
                    Simulator("--users", 1, "--messages", 5) as simulator:
                archive = self.archive(simulator, f"read-only-{read_only}")
                folder = archive.folder / read_only
                with mounted(folder):
                    archive.sync()
                    simulator.control("deliver", {"user": simulator.users()[0]["id"],
                                                  "folder": "inbox", "count": 3})
                    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
                    done = archive.run("sync", expect=4)
                    output = (done.stdout + done.stderr).decode()
                    self.assertIn(str(folder), output)
                    self.assertIn("Read-only file system", output)
                    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
                    archive.sync()
                    self.assert_archived(simulator, archive)

    def test_a_second_engine_is_refused(self):
        with Simulator("--users", 2, "--messages", 300, "--latency-ms", 50) as simulator:
            archive = self.archive(simulator)
            first = archive.start("sync")
            try:
                from harness import wait_until
                wait_until(lambda: (archive.folder / "archive" / "lease").exists(), what="a lease")
                wait_until(lambda: simulator.metrics()["requests"] > 5, what="requests")
                done = archive.run("sync", expect=6)
                self.assertIn(str(first.pid), (done.stdout + done.stderr).decode())
                archive.profile["archive"]["catalog"]["path"] = "./other-catalog"
                archive.write_profile()
                done = archive.run("sync", expect=6)
                self.assertIn(str(first.pid), (done.stdout + done.stderr).decode())
            finally:
                first.kill()
                first.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
