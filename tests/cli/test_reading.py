import unittest

from workspace import WorkspaceTest

SOURCE = {"id", "name", "provider", "every_seconds", "origin", "paused_by", "status", "reason", "running", "next_run_at",
          "run_started_at", "run_ended_at", "good_run_at", "lag_seconds",
          "credentials_expire_at", "polling", "accounts", "items",
          "items_in_mailbox", "failures", "coverage", "metrics", "progress", "last_run"}
COVERAGE = {"upstream", "archived", "excluded", "failed", "pending", "unexplained",
            "folders_unknown", "counted_at"}
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"


class Reading(WorkspaceTest):
    def setUp(self):
        super().setUp()
        self.add_mail("one")
        self.add_mail("two", folder=self.mail / "Entwürfe")
        self.write_profile(self.mailfiles_source(every="90s"))

    def test_before_the_first_sync_lists_are_empty_and_the_source_is_pending(self):
        self.assertEqual(self.run_ok("accounts", "--json").document, {"accounts": []})
        self.assertEqual(self.run_ok("folders", "--json").document, {"folders": []})
        status = self.run_ok("status", "--json").document
        self.assertIsNone(status["archive"])
        [source] = status["sources"]
        self.assertEqual(source["status"], "pending")
        for name in ("run_started_at", "run_ended_at", "good_run_at", "lag_seconds", "last_run"):
            self.assertIsNone(source[name], name)
        for verb in ("accounts", "folders", "status"):
            self.run_ok(verb)

    def test_status_shows_sources_archive_and_service(self):
        report = self.sync()["sources"][0]
        document = self.run_ok("status", "--json").document
        self.assertEqual(set(document), {"sources", "archive", "storage", "evidence", "verify",
                                         "notifications", "service"})
        [source] = document["sources"]
        self.assertEqual(set(source), SOURCE)
        self.assertEqual((source["id"], source["name"], source["provider"], source["status"]),
                         ("local", "Local mail", "mailfiles", "active"))
        self.assertEqual((source["every_seconds"], source["items"], source["items_in_mailbox"]),
                         (90, 2, 2))
        self.assertEqual(source["accounts"], report["accounts"])
        self.assertEqual(source["last_run"]["items"], report["items"])
        self.assertRegex(source["good_run_at"], TIME)
        self.assertLess(source["lag_seconds"], 60)
        self.assertFalse(source["running"])
        archive = document["archive"]
        self.assertEqual(set(archive), {"id", "format", "encrypted", "created_at", "items",
                                        "versions", "bytes", "bytes_stored"})
        self.assertRegex(archive["id"], r"^[0-9a-f]{32}$")
        self.assertTrue(archive["encrypted"])
        self.assertEqual((archive["items"], archive["versions"]), (2, 2))
        self.assertGreater(archive["bytes"], 100)
        self.assertEqual(document["service"], {"running": False, "pid": None, "host": None,
                                               "version": None, "started_at": None})
        text = self.run_ok("status").out
        self.assertIn("local", text)
        self.assertIn("Service: not running", text)

    def test_status_of_a_source_that_does_not_work_says_why(self):
        self.behave("discover unauthenticated")
        self.write_profile(self.troubled_source())
        self.run_program("sync")
        [source] = self.run_ok("status", "--json").document["sources"]
        self.assertEqual(source["status"], "error")
        self.assertIn("the script says unauthenticated", source["reason"])
        self.assertIn("the script says unauthenticated", self.run_ok("source", "list").out)

    def test_source_list_shows_every_source_of_the_profile(self):
        self.sync()
        self.write_profile(self.mailfiles_source(), self.mailfiles_source("later"))
        document = self.run_ok("source", "list", "--json").document
        self.assertEqual([(source["id"], source["status"]) for source in document["sources"]],
                         [("local", "active"), ("later", "pending")])
        for source in document["sources"]:
            self.assertEqual(set(source), SOURCE)

    def test_accounts_are_listed_with_counts(self):
        self.sync()
        [account] = self.run_ok("accounts", "--json").document["accounts"]
        self.assertEqual(set(account), {"source", "id", "address", "display_name", "status",
                                        "reason", "items", "items_in_mailbox", "failures",
                                        "first_pass_at", "last_pass_at", "lag_seconds", "coverage",
                                        "archive_mailbox", "progress", "error"})
        self.assertEqual(set(account["coverage"]), COVERAGE)
        self.assertEqual((account["coverage"]["upstream"], account["coverage"]["archived"],
                          account["coverage"]["unexplained"]), (2, 2, 0))
        self.assertLess(account["lag_seconds"], 60)
        self.assertEqual((account["source"], account["address"], account["status"]),
                         ("local", "ada", "up_to_date"))
        self.assertEqual((account["items"], account["items_in_mailbox"], account["failures"]),
                         (2, 2, 0))
        self.assertRegex(account["last_pass_at"], TIME)
        self.assertIsNone(account["error"])
        self.assertEqual(self.run_ok("accounts", "--json", "--source", "other").document,
                         {"accounts": []})

    def test_folders_are_listed_with_paths_and_counts_and_aligned(self):
        self.sync()
        folders = self.run_ok("folders", "--json").document["folders"]
        for folder in folders:
            self.assertEqual(set(folder), {"source", "account", "address", "id", "path",
                                           "well_known_name", "hidden", "archived", "status",
                                           "items", "failures", "items_upstream", "synced_at",
                                           "lag_seconds", "removed_at", "coverage", "error"})
            self.assertEqual(folder["status"], "up_to_date")
            self.assertEqual(set(folder["coverage"]), COVERAGE)
        by_name = {folder["path"][-1]: folder for folder in folders}
        self.assertEqual(by_name["Entwürfe"]["items"], 1)
        self.assertRegex(by_name["Entwürfe"]["synced_at"], TIME)
        self.assertTrue(by_name["Entwürfe"]["archived"])
        self.assertEqual(len(folders), len(self.run_ok("folders", "--json", "--account", "ada")
                                           .document["folders"]))
        self.assertEqual(self.run_ok("folders", "--json", "--account", "eve").document,
                         {"folders": []})
        lines = self.run_ok("folders").out.splitlines()
        column = lines[0].index("LAST SYNC")
        self.assertEqual({line[column:column + 2] for line in lines[1:]}, {"20"})

    def test_a_check_that_passes(self):
        document = self.run_ok("source", "check", "local", "--json").document
        self.assertEqual((document["source"], document["passed"]), ("local", True))
        for check in document["checks"]:
            self.assertEqual(set(check), {"name", "outcome", "detail", "remedy", "code"})
        self.assertEqual({check["outcome"] for check in document["checks"]}, {"pass"})
        self.assertIn("paths readable", self.run_ok("source", "check", "local").out)
        self.assertFalse((self.folder / "archive").exists())

    def test_coverage_has_tables_of_its_own(self):
        self.sync()
        for verb in ("accounts", "folders"):
            lines = self.run_ok(verb, "--coverage").out.splitlines()
            self.assertIn("UNEXPLAINED", lines[0])
            self.assertGreater(len(lines), 1)

    def test_an_estimate_says_what_it_is_made_of(self):
        document = self.run_ok("source", "check", "local", "--estimate", "--json").document
        self.assertEqual(set(document), {"source", "passed", "checks", "estimate"})
        estimate = document["estimate"]
        self.assertEqual(set(estimate), {
            "accounts", "accounts_complete", "accounts_sampled", "items", "items_sampled",
            "bytes_per_item", "bytes", "seconds", "longest_account_seconds",
            "milliseconds_per_item", "disk_bytes", "stored_ratio", "stored_ratio_from",
            "extrapolated"})
        size = sum(path.stat().st_size for path in self.mail.rglob("*.eml"))
        self.assertEqual((estimate["accounts"], estimate["items"], estimate["items_sampled"],
                          estimate["bytes"]), (1, 2, 2, size))
        self.assertFalse(estimate["extrapolated"])
        self.assertEqual(estimate["stored_ratio_from"], "assumption")
        self.assertFalse((self.folder / "archive").exists())
        text = self.run_ok("source", "check", "local", "--estimate").out
        self.assertIn("which is an assumption", text)
        self.assertNotIn("estimate", self.run_ok("source", "check", "local", "--json").document)

    def test_an_estimate_that_can_not_be_made_is_an_error_of_its_own(self):
        self.write_profile(self.troubled_source())
        result = self.run_program("source", "check", "troubled", "--estimate", "--json")
        self.assertEqual(result.code, 1, result.err)
        self.assertTrue(result.document["passed"])
        self.assertIsNone(result.document["estimate"])
        self.assertIn("can't estimate", result.err)
        self.behave("check unavailable")
        result = self.run_program("source", "check", "troubled", "--estimate", "--json")
        self.assertEqual(result.code, 7)
        self.assertNotIn("can't estimate", result.err)

    def test_a_failed_check_says_what_to_do_and_unknown_is_no_failure(self):
        self.write_profile(self.troubled_source())
        for code, exit_code in (("unauthenticated", 3), ("unavailable", 7), ("internal", 1)):
            self.behave(f"check {code}")
            result = self.run_program("source", "check", "troubled", "--json")
            self.assertEqual(result.code, exit_code, result.err)
            self.assertFalse(result.document["passed"])
            self.assertEqual(result.document["checks"][1],
                             {"name": "service reachable", "outcome": "fail", "code": code,
                              "detail": f"the script says {code}", "remedy": "change the script"})
        self.behave()
        document = self.run_ok("source", "check", "troubled", "--json").document
        self.assertTrue(document["passed"])
        self.assertEqual(document["checks"][0]["outcome"], "unknown")
        self.assertIsNone(document["checks"][0]["code"])

    def test_a_check_of_paths_that_are_not_there_ends_with_7(self):
        self.write_profile(self.mailfiles_source(path=self.folder / "nowhere"))
        result = self.run_program("source", "check", "local")
        self.assertEqual(result.code, 7, result.out + result.err)
        self.assertIn("nowhere", result.out)

    def test_a_check_of_an_unknown_source_is_a_usage_error(self):
        self.assert_error(self.run_program("source", "check", "locl", "--json"), 2,
                          "invalid_argument", 'did you mean "local"?')


if __name__ == "__main__":
    unittest.main()
