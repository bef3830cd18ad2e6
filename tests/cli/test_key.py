import base64
import os
import shutil
import subprocess
import unittest

from workspace import WorkspaceTest


class Key(WorkspaceTest):
    def test_new_makes_a_key_file_and_never_overwrites_it(self):
        result = self.run_ok("key", "new", "--json")
        file = self.folder / "archive.key"
        self.assertEqual(result.document["file"], "archive.key")
        self.assertRegex(result.document["check_value"], r"^[0-9a-f]{16}$")
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o600)
        text = file.read_text()
        self.assertEqual(len(base64.b64decode(text)), 32)
        self.assertEqual(text.count("\n"), 1)
        self.assertNotIn(text.strip(), result.out + result.err)
        again = self.run_program("key", "new", "--json")
        self.assert_error(again, 2, "already_exists", "archive.key")
        self.assertEqual(file.read_text(), text)

    def test_new_prints_the_key_when_asked_to(self):
        first = self.run_ok("key", "new", "--output", "-").out
        second = self.run_ok("key", "new", "--output", "-").out
        self.assertEqual(len(base64.b64decode(first)), 32)
        self.assertNotEqual(first, second)
        document = self.run_ok("key", "new", "--output", "-", "--json").document
        self.assertEqual(len(base64.b64decode(document["key"])), 32)
        self.assertFalse((self.folder / "archive.key").exists())

    def test_new_needs_no_profile(self):
        result = self.run_program("key", "new", "--output", "other.key", with_profile=False)
        self.assertEqual(result.code, 0, result.err)
        self.assertTrue((self.folder / "other.key").exists())

    def test_check_says_whether_the_key_opens_the_archive(self):
        self.write_profile(self.mailfiles_source())
        self.assert_error(self.run_program("key", "check", "--json"), 4, "not_found")
        self.sync()
        document = self.run_ok("key", "check", "--json").document
        self.assertTrue(document["fits"])
        self.assertTrue(document["encrypted"])
        self.assertEqual(document["archive_check_value"], document["key_check_value"])
        self.assertIn(document["key_check_value"], self.run_ok("key", "check").out)

    def test_check_tells_another_key_by_both_check_values(self):
        self.write_profile(self.mailfiles_source())
        self.sync()
        (self.folder / "archive.key").unlink()
        other = self.run_ok("key", "new", "--json").document["check_value"]
        result = self.run_program("key", "check", "--json")
        self.assertEqual(result.code, 4)
        self.assertFalse(result.document["fits"])
        self.assertEqual(result.document["key_check_value"], other)
        self.assertNotEqual(result.document["archive_check_value"], other)
        self.assertIn(other, result.err)
        self.assertIn(result.document["archive_check_value"], result.err)

    def test_check_tells_a_missing_key(self):
        self.write_profile(self.mailfiles_source())
        self.sync()
        (self.folder / "archive.key").unlink()
        self.assert_error(self.run_program("key", "check", "--json"), 4, "not_found",
                          "archive.key")

    def test_check_of_an_archive_without_encryption(self):
        self.write_profile(self.mailfiles_source(), archive={"encryption": {"mode": "none"}})
        self.sync()
        document = self.run_ok("key", "check", "--json").document
        self.assertFalse(document["encrypted"])
        self.assertTrue(document["fits"])
        self.assert_error(self.run_program("key", "rotate", "--json"), 4, "invalid_config",
                          "not encrypted")

    def test_check_prints_the_public_key_as_openssl_reads_it(self):
        self.write_profile(self.mailfiles_source())
        self.sync()
        pem = self.run_ok("key", "check", "--json").document["public_key"]
        self.assertIn(pem, self.run_ok("key", "check").out)
        shown = subprocess.run(["openssl", "pkey", "-pubin", "-noout", "-text"], input=pem,
                               text=True, capture_output=True, check=True).stdout
        self.assertIn("ED25519", shown)


class Rotation(WorkspaceTest):
    def setUp(self):
        super().setUp()
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        self.sync()
        self.key = self.folder / "archive.key"

    def check_value(self):
        return self.run_ok("key", "check", "--json").document["archive_check_value"]

    def contents(self):
        """Every object but the keyring and the lease, with its bytes."""
        root = self.folder / "archive"
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*")
                if p.is_file() and p.name not in ("keyring", "lease")}

    def point_profile_at(self, key):
        self.write_profile(self.mailfiles_source(), archive={"encryption": {"key": key}})

    def assert_usable(self):
        self.run_ok("verify", "--json")
        self.add_mail(f"mail-{len(list(self.mail.iterdir()))}")
        self.assertGreaterEqual(self.sync()["sources"][0]["items"]["new"], 1)

    def test_a_key_file_is_replaced_and_contents_stay(self):
        before, old, contents = self.check_value(), self.key.read_text(), self.contents()
        document = self.run_ok("key", "rotate", "--json").document
        self.assertEqual(document["old_check_value"], before)
        self.assertEqual(document["new_check_value"], self.check_value())
        self.assertNotEqual(before, self.check_value())
        self.assertEqual(self.contents(), contents)
        self.assertEqual((self.folder / f"archive.key.old-{before}").read_text(), old)
        self.assertFalse((self.folder / "archive.key.new").exists())
        self.assertEqual(os.stat(self.key).st_mode & 0o777, 0o600)
        self.assert_usable()
        self.run_ok("key", "rotate")
        self.assert_usable()

    def test_the_old_key_does_not_open_the_archive_any_more(self):
        old = self.key.read_text()
        self.run_ok("key", "rotate")
        wanted = self.check_value()
        self.key.write_text(old)
        self.assert_error(self.run_program("sync", "--json"), 4, "unauthenticated", wanted)

    def test_an_older_keyring_says_where_its_key_is(self):
        old_keyring = (self.folder / "archive" / "keyring").read_bytes()
        before = self.check_value()
        self.run_ok("key", "rotate")
        (self.folder / "archive" / "keyring").write_bytes(old_keyring)
        self.assert_error(self.run_program("verify", "--json"), 4, "unauthenticated",
                          before, f"archive.key.old-{before}")

    def test_a_rotation_is_finished_wherever_it_was_interrupted(self):
        old_key, old_keyring = self.key.read_bytes(), (self.folder / "archive" / "keyring").read_bytes()
        before = self.check_value()
        snapshot = self.folder / "snapshot"
        for name in ("archive", "catalog"):
            shutil.copytree(self.folder / name, snapshot / name)
        self.run_ok("key", "rotate")
        new_key, new_keyring = self.key.read_bytes(), (self.folder / "archive" / "keyring").read_bytes()
        after = self.check_value()
        kept = self.folder / f"archive.key.old-{before}"
        fresh = self.folder / "archive.key.new"

        def state(key, keyring, new=None, old=None):
            for name in ("archive", "catalog"):
                shutil.rmtree(self.folder / name)
                shutil.copytree(snapshot / name, self.folder / name)
            for file, data in ((self.key, key), (self.folder / "archive" / "keyring", keyring),
                               (fresh, new), (kept, old)):
                if data is None:
                    file.unlink(missing_ok=True)
                else:
                    file.write_bytes(data)

        with self.subTest("the new key was being written"):
            state(old_key, old_keyring, new=new_key[:20])
            self.run_ok("verify")
            self.run_ok("key", "rotate")
            self.assert_usable()
        with self.subTest("the new key is there, the keyring is the old one"):
            state(old_key, old_keyring, new=new_key)
            self.run_ok("verify")
            document = self.run_ok("key", "rotate", "--json").document
            self.assertEqual(document["new_check_value"], after)
            self.assert_usable()
        for old in (None, old_key):
            with self.subTest("the keyring is the new one, the key file the old one", kept=old):
                state(old_key, new_keyring, new=new_key, old=old)
                self.assert_error(self.run_program("verify", "--json"), 4, "unauthenticated",
                                  after, "archive.key.new", "key rotate")
                self.assertFalse(self.run_program("key", "check", "--json").document["fits"])
                document = self.run_ok("key", "rotate", "--json").document
                self.assertTrue(document["finished_earlier"])
                self.assertEqual(document["new_check_value"], after)
                self.assertEqual(self.key.read_bytes(), new_key)
                self.assertEqual(kept.read_bytes(), old_key)
                self.assert_usable()

    def test_a_kill_at_any_moment_leaves_an_archive_that_opens_or_says_how(self):
        for delay in range(0, 60, 3):
            process = subprocess.Popen(self.command("key", "rotate"), cwd=self.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(delay / 1000)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            opened = self.run_program("key", "check", "--json")
            if opened.code != 0:
                self.assertIn("key rotate", opened.err)
                self.run_ok("key", "rotate")
            self.assertTrue(self.run_ok("key", "check", "--json").document["fits"])
        self.assert_usable()

    def test_a_running_service_keeps_its_key(self):
        self.serve()
        self.assert_error(self.run_program("key", "rotate", "--json"), 6, "already_exists",
                          "service")

    def test_from_a_file_to_a_passphrase_and_on(self):
        secret = self.folder / "passphrase"
        secret.write_text("short\n")
        self.assert_error(self.run_program("key", "rotate", "--to-passphrase-file", str(secret),
                                           "--json"), 4, "invalid_config", "too short")
        secret.write_text("correct horse battery staple\n")
        contents = self.contents()
        self.run_ok("key", "rotate", "--to-passphrase-file", str(secret))
        self.assertEqual(self.contents(), contents)
        self.assert_error(self.run_program("sync", "--json"), 4, "unauthenticated")
        self.point_profile_at({"passphrase": {"file": "./passphrase"}})
        self.assertTrue(self.run_ok("key", "check", "--json").document["passphrase"])
        self.assert_usable()
        again = self.run_ok("key", "rotate", "--to-passphrase-file", str(secret), "--json").document
        self.assertTrue(again["finished_earlier"])
        self.assertEqual(self.run_program("key", "rotate", "--json").code, 2)
        self.assertEqual(self.run_program("key", "rotate", "--to-env", "A", "--to-file", "b").code, 2)

        secret.write_text("correct horse battery stable\n")
        self.assert_error(self.run_program("sync", "--json"), 4, "unauthenticated",
                          "passphrase is another one")
        secret.unlink()
        self.assert_error(self.run_program("sync", "--json"), 4, "not_found", "passphrase")
        secret.write_text("correct horse battery staple\n")
        self.run_ok("key", "rotate", "--to-file", str(self.folder / "next.key"))
        self.point_profile_at({"file": "./next.key"})
        self.assert_usable()

    def test_an_archive_is_made_with_a_passphrase_from_the_environment(self):
        shutil.rmtree(self.folder / "archive")
        shutil.rmtree(self.folder / "catalog")
        self.point_profile_at({"passphrase": {"env": "ARCHIVE_PASSPHRASE"}})
        given = {"ARCHIVE_PASSPHRASE": "correct horse battery staple"}
        short = self.run_program("sync", "--json", environment={"ARCHIVE_PASSPHRASE": "short"})
        self.assert_error(short, 4, "invalid_config", "too short")
        self.assertEqual(self.run_program("sync", environment=given).code, 0)
        self.assertEqual(self.run_program("verify", environment=given).code, 0)
        self.assert_error(self.run_program("verify", "--json"), 4, "not_found",
                          "ARCHIVE_PASSPHRASE")
        for file in self.folder.rglob("*"):
            if file.is_file():
                self.assertNotIn(b"battery staple", file.read_bytes(), file)

    def test_names_of_objects_tell_nothing_of_the_mail(self):
        root = self.folder / "archive"
        shapes = (r"^archive$", r"^keyring$", r"^packs/[0-9a-f]{2}/[0-9a-f]{64}$",
                  r"^log/[a-z0-9]{16}/[0-9]{20}$", r"^heads/[0-9]{20}$")
        for path in root.rglob("*"):
            if path.is_file():
                self.assertRegex(str(path.relative_to(root)), "|".join(shapes))
                data = path.read_bytes()
                for word in (b"example.org", b"Subject", b"ada@", b"one@", b"local"):
                    self.assertNotIn(word, data, path)


if __name__ == "__main__":
    unittest.main()
