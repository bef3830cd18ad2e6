import json
import os
import pty
import signal
import subprocess
import time
import unittest

from workspace import WorkspaceTest

ACCOUNTS = ("discovered", "up_to_date", "importing", "without_mailbox", "excluded",
            "closed_by_policy", "deleted_upstream", "failed")
ITEMS = ("new", "changed", "unchanged", "moved", "left", "gone_before_fetch", "failed",
         "reconstructed")


class Sync(WorkspaceTest):
    def test_the_document_has_the_shape_that_scripts_depend_on(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        self.add_mail("two")
        document = self.sync()
        self.assertFalse(document["interrupted"])
        [source] = document["sources"]
        self.assertEqual(source["id"], "local")
        self.assertEqual(source["status"], "active")
        self.assertLessEqual(set(ACCOUNTS), set(source["accounts"]))
        self.assertLessEqual(set(ITEMS), set(source["items"]))
        self.assertEqual(sum(source["accounts"][name] for name in ACCOUNTS[1:]),
                         source["accounts"]["discovered"])
        self.assertEqual(source["accounts"]["up_to_date"], 1)
        self.assertEqual(source["items"]["new"], 2)
        for name in ("requests", "throttled", "bytes_downloaded", "outstanding_failures"):
            self.assertIsInstance(source[name], int)
        self.assertIsInstance(source["seconds"], (int, float))

    def test_a_second_pass_archives_only_what_is_new(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        self.sync()
        self.add_mail("two")
        [source] = self.sync()["sources"]
        self.assertEqual(source["items"]["new"], 1)
        [source] = self.sync()["sources"]
        self.assertEqual(source["items"]["new"], 0)

    def test_reconcile_downloads_nothing_that_is_archived(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        self.sync()
        [source] = self.run_ok("sync", "--json", "--reconcile").document["sources"]
        self.assertEqual((source["items"]["new"], source["items"]["unchanged"]), (0, 1))

    def test_people_get_a_table_and_are_told_about_the_key(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        result = self.run_ok("sync")
        header, row = result.out.splitlines()[:2]
        self.assertRegex(header, r"^SOURCE +STATUS +ACCOUNTS +NEW ")
        self.assertRegex(row, r"^local +active +1 +1 ")
        self.assertIn("archive.key", result.err)
        self.assertIn("without it the archive is lost", result.err)
        self.assertNotIn("archive.key", self.run_ok("sync").err)

    def test_only_the_sources_that_were_asked_for_are_synced(self):
        other = self.folder / "mail" / "bob"
        self.add_mail("one")
        self.add_mail("two", folder=other)
        self.write_profile(self.mailfiles_source(), self.mailfiles_source("other", path=other))
        document = self.run_ok("sync", "--json", "--source", "other").document
        self.assertEqual([source["id"] for source in document["sources"]], ["other"])
        document = self.run_ok("sync", "--json", "--source", "other", "--source", "local").document
        self.assertEqual([source["id"] for source in document["sources"]], ["local", "other"])

    def test_an_unknown_source_is_a_usage_error_with_the_nearest_one(self):
        self.write_profile(self.mailfiles_source())
        self.assert_error(self.run_program("sync", "--json", "--source", "locl"), 2,
                          "invalid_argument", 'did you mean "local"?')
        self.assertFalse((self.folder / "archive").exists())

    def test_an_account_can_be_named_by_its_address_and_an_unknown_one_is_an_error(self):
        self.behave("items 1")
        self.write_profile(self.troubled_source())
        document = self.run_ok("sync", "--json", "--account", "ada@example.org").document
        self.assertEqual(document["sources"][0]["items"]["new"], 1)
        self.assert_error(self.run_program("sync", "--json", "--account", "eve@example.org"), 2,
                          "invalid_argument", "eve@example.org")

    def test_refused_credentials_end_with_3(self):
        self.behave("discover unauthenticated")
        self.write_profile(self.troubled_source())
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 3, result.err)
        [source] = result.document["sources"]
        self.assertEqual(source["status"], "error")
        self.assertEqual(source["error"]["code"], "unauthenticated")
        self.assertEqual(source["error"]["request_id"], "req-1")

    def test_an_unreachable_service_ends_with_7(self):
        self.behave("discover unavailable")
        self.write_profile(self.troubled_source())
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 7, result.err)

    def test_of_several_sources_the_worst_decides_and_the_others_are_synced(self):
        self.add_mail("one")
        scripts = {}
        for name in ("unavailable", "permission_denied"):
            scripts[name] = self.folder / name
            self.behave(f"discover {name}", script=scripts[name])
        self.write_profile(self.mailfiles_source(),
                           self.troubled_source("away", script=scripts["unavailable"]),
                           self.troubled_source("refused", script=scripts["permission_denied"]))
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 3, result.err)
        self.assertEqual([source["id"] for source in result.document["sources"]],
                         ["local", "away", "refused"])
        self.assertEqual(result.document["sources"][0]["items"]["new"], 1)
        result = self.run_program("sync", "--json", "--source", "local", "--source", "away")
        self.assertEqual(result.code, 7, result.err)

    def test_an_item_that_can_not_be_archived_ends_with_1_and_stops_nothing(self):
        self.behave("items 3", "corrupt 2")
        self.write_profile(self.troubled_source())
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 1, result.err)
        [source] = result.document["sources"]
        self.assertEqual((source["items"]["new"], source["items"]["failed"]), (2, 1))
        self.assertEqual(source["status"], "attention")
        self.assertEqual(source["outstanding_failures"], 1)

    def test_a_key_that_is_missing_makes_no_archive(self):
        profile = self.profile_of(self.mailfiles_source())
        profile["archive"]["encryption"] = {"key": {"env": "NO_SUCH_KEY"}}
        self.profile.write_text(json.dumps(profile))
        result = self.run_program("sync", "--json")
        self.assert_error(result, 4, "not_found", "NO_SUCH_KEY")

    def start_slow_sync(self, *options):
        self.behave("items 500", "delay_ms 100")
        self.write_profile(self.troubled_source())
        process = subprocess.Popen(self.command("sync", *options), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.services.append(process)
        return process

    def archived(self):
        result = self.run_program("accounts", "--json")
        accounts = result.document.get("accounts", []) if result.code == 0 else []
        return sum(account["items"] for account in accounts)

    def test_an_interrupted_sync_keeps_what_it_has_and_the_next_one_goes_on(self):
        process = self.start_slow_sync("--json")
        self.wait_for(lambda: self.archived() > 0, "something is archived")
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("everything archived so far is safe", err)
        document = json.loads(out)
        self.assertTrue(document["interrupted"])
        before = self.archived()
        self.assertGreater(before, 0)
        self.assertLess(before, 500)
        self.behave("items 500")
        [source] = self.sync()["sources"]
        self.assertEqual(source["items"]["new"], 500 - before)
        self.assertEqual(self.archived(), 500)

    def test_a_call_that_does_not_come_back_is_abandoned(self):
        self.behave("items 1", "hang")
        self.write_profile(self.troubled_source())
        process = subprocess.Popen(self.command("sync", "--json"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.services.append(process)
        self.wait_for(lambda: self.run_program("folders", "--json").document.get("folders"),
                      "the folder is known")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - started, 11)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(json.loads(out)["error"]["code"], "cancelled")

    def test_without_a_terminal_progress_comes_in_lines(self):
        self.behave("items 70", "delay_ms 100")
        self.write_profile(self.troubled_source())
        result = self.run_ok("sync")
        self.assertRegex(result.err, r"(?m)^accounts \d+/1  \d+ messages  \d+/s  ")
        self.assertNotIn("\r", result.err)
        result = self.run_ok("sync", "--json")
        self.assertEqual(result.err, "")

    def test_on_a_terminal_progress_renews_one_line_that_fits(self):
        self.behave("items 20", "delay_ms 100")
        self.write_profile(self.troubled_source())
        leader, follower = pty.openpty()
        os.set_blocking(leader, False)
        process = subprocess.Popen(["sh", "-c", 'stty columns 40 <&2; exec "$@"', "sh",
                                    *self.command("sync", "--json")],
                                   stdout=subprocess.PIPE, stderr=follower, text=True)
        self.services.append(process)
        seen = b""
        while process.poll() is None:
            try:
                seen += os.read(leader, 65536)
            except BlockingIOError:
                time.sleep(0.05)
        try:
            seen += os.read(leader, 65536)
        except BlockingIOError:
            pass
        os.close(leader)
        os.close(follower)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(process.stdout.read())["sources"][0]["items"]["new"], 20)
        process.stdout.close()
        lines = [line for line in seen.decode().replace("\x1b[K", "").split("\r") if line]
        self.assertGreater(len([line for line in lines if line.startswith("accounts ")]), 3)
        self.assertLessEqual(max(len(line.rstrip("\n")) for line in lines
                                 if line.startswith("accounts ")), 40)


class Pausing(WorkspaceTest):
    def status(self):
        source = self.run_ok("source", "list", "--json").document["sources"][0]
        return source["status"], source["paused_by"]

    def pause_and_resume(self):
        self.assertEqual(self.run_ok("source", "pause", "local", "--json").document,
                         {"id": "local", "paused": True})
        status, by = self.status()
        self.assertEqual(status, "paused")
        self.assertIn("@", by)
        self.assertEqual(self.run_program("sync", "--source", "local").code, 2)
        self.run_ok("source", "pause", "local")
        self.assertEqual(self.status(), (status, by))
        self.assertIn("is read again", self.run_ok("source", "resume", "local").out)
        self.assertEqual(self.status(), ("active", None))
        self.assert_error(self.run_program("source", "pause", "none", "--json"), 2,
                          "invalid_argument", "none")

    def test_a_source_is_paused_and_resumed_with_a_service_and_without(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        self.sync()
        self.pause_and_resume()
        self.run_ok("source", "pause", "local")
        service = self.serve()
        self.assertEqual(self.status()[0], "paused")
        self.run_ok("source", "resume", "local")
        self.wait_for(lambda: self.status() == ("active", None), "it is read again", service)
        self.pause_and_resume()
        entries = self.run_ok("audit", "list", "--action", "source_resume",
                              "--json").document["entries"]
        self.assertEqual({e["object"] for e in entries}, {"local"})
        self.assertEqual(len(entries), 3)


if __name__ == "__main__":
    unittest.main()
