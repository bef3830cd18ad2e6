import unittest

from workspace import WorkspaceTest

MEMBERS = {"kind", "ref", "source", "account", "address", "item", "folder", "code", "message",
           "service_code", "request_id", "attempts", "first_at", "last_at", "next_try_at",
           "accepted", "archived"}


class Failures(WorkspaceTest):
    def setUp(self):
        super().setUp()
        self.write_profile(self.troubled_source())

    def fail_one_item(self):
        self.behave("items 3", "corrupt 2")
        self.assertEqual(self.run_program("sync").code, 1)

    def failures(self, exit_code, *options):
        result = self.run_program("failures", "--json", *options)
        self.assertEqual(result.code, exit_code, result.err)
        return result.document

    def test_there_are_none_before_and_after_a_good_sync(self):
        nothing = {"failures": [], "outstanding": 0, "accepted": 0}
        self.assertEqual(self.failures(0), nothing)
        self.behave("items 1")
        self.sync()
        self.assertEqual(self.failures(0), nothing)
        self.assertIn("Everything", self.run_ok("failures").out)

    def test_a_failed_item_is_listed_with_all_that_is_known(self):
        self.fail_one_item()
        document = self.failures(1)
        self.assertEqual((document["outstanding"], document["accepted"]), (1, 0))
        [failure] = document["failures"]
        self.assertEqual(set(failure), MEMBERS)
        self.assertEqual(failure["kind"], "item")
        self.assertRegex(failure["ref"], r"^[0-9a-f]{24}$")
        self.assertEqual((failure["source"], failure["account"], failure["address"]),
                         ("troubled", "account-1", "ada@example.org"))
        self.assertEqual((failure["item"], failure["folder"]), ("item-2", ["Inbox"]))
        self.assertEqual((failure["code"], failure["request_id"]), ("corrupt", "req-1"))
        self.assertIn("the script says corrupt", failure["message"])
        self.assertGreaterEqual(failure["attempts"], 1)
        for time in ("first_at", "last_at", "next_try_at"):
            self.assertRegex(failure[time], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertFalse(failure["accepted"])
        self.assertIsNone(failure["archived"])
        text = self.run_program("failures")
        self.assertEqual(text.code, 1)
        self.assertIn(failure["ref"], text.out)
        self.assertIn("1 outstanding, 0 accepted", text.out)

    def test_a_source_that_does_not_work_is_listed(self):
        self.behave("discover unauthenticated")
        self.run_program("sync")
        [failure] = self.failures(1)["failures"]
        self.assertEqual(set(failure), MEMBERS)
        self.assertEqual((failure["kind"], failure["source"], failure["code"]),
                         ("source", "troubled", "unauthenticated"))
        self.assertIsNone(failure["ref"])

    def test_retry_tries_again_at_once(self):
        self.fail_one_item()
        self.behave("items 3")
        document = self.failures(0, "--retry")
        self.assertEqual(document["failures"], [])
        self.assertEqual(document["sync"]["sources"][0]["items"]["new"], 1)

    def test_retry_in_vain_stays_a_failure(self):
        self.fail_one_item()
        document = self.failures(1, "--retry")
        [failure] = document["failures"]
        self.assertGreaterEqual(failure["attempts"], 2)
        text = self.run_program("failures", "--retry")
        self.assertEqual(text.code, 1)
        self.assertIn("troubled", text.out)

    def test_an_accepted_failure_stays_listed_and_no_longer_counts(self):
        self.fail_one_item()
        [failure] = self.failures(1)["failures"]
        document = self.failures(0, "--accept", failure["ref"])
        self.assertEqual((document["outstanding"], document["accepted"]), (0, 1))
        [accepted] = document["failures"]
        self.assertTrue(accepted["accepted"])
        self.assertIsNone(accepted["next_try_at"])
        self.assertEqual(self.sync()["sources"][0]["status"], "active")
        self.assertEqual(self.failures(0, "--accept", failure["ref"])["accepted"], 1)

    def test_an_unknown_ref_accepts_nothing(self):
        self.fail_one_item()
        [failure] = self.failures(1)["failures"]
        unknown = "0" * 24
        self.assert_error(self.run_program("failures", "--json", "--accept", failure["ref"],
                                           unknown), 2, "invalid_argument", unknown)
        self.assertEqual(self.failures(1)["accepted"], 0)


if __name__ == "__main__":
    unittest.main()
