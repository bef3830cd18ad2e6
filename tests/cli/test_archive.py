import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import unittest

from workspace import WorkspaceTest


class Archive(WorkspaceTest):
    """What is wrong with archive, key or catalog, and what people are told."""

    def setUp(self):
        super().setUp()
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")

    def objects(self):
        return {path: path.read_bytes() for path in sorted((self.folder / "archive").rglob("*"))
                if path.is_file()}

    def test_another_key_is_refused_and_changes_nothing(self):
        self.sync()
        before = self.objects()
        (self.folder / "archive.key").unlink()
        self.run_ok("key", "new")
        self.add_mail("two")
        self.assert_error(self.run_program("sync", "--json"), 4, "unauthenticated", "key")
        self.assertEqual(self.objects(), before)

    def test_a_missing_key_is_refused_and_no_new_one_is_made(self):
        self.sync()
        (self.folder / "archive.key").unlink()
        self.assert_error(self.run_program("sync", "--json"), 4, "not_found", "archive.key")
        self.assertFalse((self.folder / "archive.key").exists())

    def test_a_key_that_the_profile_names_is_not_made_by_the_way(self):
        self.write_profile(self.mailfiles_source(),
                           archive={"encryption": {"key": {"file": "./my.key"}}})
        self.assert_error(self.run_program("sync", "--json"), 4, "not_found", "my.key", "key new")
        self.run_ok("key", "new", "--output", "my.key")
        self.sync()

    def test_a_key_that_is_no_key_is_refused_without_being_repeated(self):
        (self.folder / "archive.key").write_text("open sesame\n")
        os.chmod(self.folder / "archive.key", 0o600)
        result = self.run_program("sync", "--json")
        self.assert_error(result, 4, "invalid_config")
        self.assertNotIn("sesame", result.out + result.err)

    def test_a_file_where_the_catalog_should_be_is_reported(self):
        (self.folder / "catalog").write_text("in the way")
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 4, result.err)
        self.assertIn(str(self.folder / "catalog"), result.document["error"]["message"])

    def test_a_file_where_the_archive_should_be_is_reported(self):
        (self.folder / "archive").write_text("in the way")
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 4, result.err)
        self.assertIn(str(self.folder / "archive"), result.document["error"]["message"])

    def test_a_missing_catalog_offers_to_rebuild(self):
        self.sync()
        shutil.rmtree(self.folder / "catalog")
        for verb in (["sync"], ["accounts"], ["status"], ["failures"]):
            self.assert_error(self.run_program(*verb, "--json"), 4, "corrupt",
                              "openarchiver rebuild")

    def test_a_damaged_catalog_offers_to_rebuild(self):
        self.sync()
        for name in ("catalog.db-wal", "catalog.db-shm"):
            (self.folder / "catalog" / name).unlink(missing_ok=True)
        (self.folder / "catalog" / "catalog.db").write_bytes(b"this is no database at all" * 500)
        for verb in (["sync"], ["accounts"], ["status"]):
            self.assert_error(self.run_program(*verb, "--json"), 4, "corrupt",
                              "openarchiver rebuild")

    def test_rebuild_brings_everything_back(self):
        self.sync()
        before = self.run_ok("folders", "--json").document
        shutil.rmtree(self.folder / "catalog")
        self.run_ok("rebuild")
        after = self.run_ok("folders", "--json").document
        self.assertEqual([(folder["path"], folder["items"]) for folder in before["folders"]],
                         [(folder["path"], folder["items"]) for folder in after["folders"]])
        self.assertEqual(self.sync()["sources"][0]["items"]["new"], 0)

    def test_a_rebuilt_catalog_has_the_tables_and_indexes_of_another(self):
        def tables():
            file = self.folder / "catalog" / "catalog.db"
            with contextlib.closing(sqlite3.connect(file)) as catalog:
                return sorted(catalog.execute("SELECT type, name, sql FROM sqlite_master"),
                              key=str)

        self.sync()
        before = tables()
        self.assertIn("items_by_ref", [name for _, name, _ in before])
        self.run_ok("rebuild")
        self.assertEqual(tables(), before)

    def test_an_archive_of_a_newer_format_is_refused_with_both_numbers(self):
        self.sync()
        marker = self.folder / "archive" / "archive"
        document = json.loads(marker.read_text())
        document["format"] = 99
        marker.write_text(json.dumps(document))
        for verb in ("sync", "status"):
            self.assert_error(self.run_program(verb, "--json"), 4, "unsupported", "99", "newer")

    def test_something_else_in_the_archives_place_is_not_touched(self):
        (self.folder / "archive").mkdir()
        (self.folder / "archive" / "holiday.jpg").write_text("a picture")
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 4, result.err)
        self.assertEqual((self.folder / "archive" / "holiday.jpg").read_text(), "a picture")

    def test_too_little_free_space_ends_with_4_and_says_so(self):
        self.write_profile(self.mailfiles_source(), archive={"free_space_floor": "8000TiB"})
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 4, result.err)
        self.assertEqual(result.document["error"]["code"], "resource_exhausted")
        self.assertIn("free", result.err)
        self.write_profile(self.mailfiles_source())
        self.assertEqual(self.sync()["sources"][0]["items"]["new"], 1)

    def test_space_that_runs_out_later_ends_with_4_and_the_next_sync_goes_on(self):
        self.sync()
        self.add_mail("two")
        self.write_profile(self.mailfiles_source(), archive={"free_space_floor": "8000TiB"})
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 4, result.err)
        self.assertIn("free", result.err)
        self.write_profile(self.mailfiles_source())
        self.assertEqual(self.sync()["sources"][0]["items"]["new"], 1)

    def hold(self):
        """Another engine that is busy with the archive; its process."""
        self.behave("items 500", "delay_ms 100")
        self.write_profile(self.troubled_source())
        process = subprocess.Popen(self.command("sync"), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.services.append(process)
        self.wait_for(lambda: self.run_program("accounts", "--json").document.get("accounts"),
                      "the other engine is at work")
        return process

    def test_a_second_engine_on_one_catalog_is_refused_naming_the_first(self):
        process = self.hold()
        for verb in (["sync"], ["failures", "--accept", "0" * 24], ["serve"], ["rebuild"]):
            self.assert_error(self.run_program(*verb, "--json"), 6, "already_exists",
                              str(process.pid), socket.gethostname())
        self.run_ok("status")

    def test_a_second_engine_with_a_catalog_of_its_own_is_refused_naming_the_first(self):
        process = self.hold()
        self.write_profile(self.troubled_source(),
                           archive={"catalog": {"path": "./another-catalog"}})
        self.assert_error(self.run_program("sync", "--json"), 6, "already_exists",
                          str(process.pid), socket.gethostname())

    def test_an_engine_that_died_holds_nothing(self):
        process = self.hold()
        process.kill()
        process.wait()
        self.behave("items 1")
        self.sync()


if __name__ == "__main__":
    unittest.main()
