import base64
import os
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


if __name__ == "__main__":
    unittest.main()
