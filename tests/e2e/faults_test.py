"""What goes wrong upstream, and what the archive holds afterwards."""

import unittest

from harness import ArchiverTest, Simulator

CONVERSION = {"status": 500, "code": "ErrorMimeContentConversionFailed",
              "message": "MIME content conversion failed."}


class FaultsTest(ArchiverTest):
    def faults(self, simulator, *rules):
        for rule in rules:
            simulator.control("faults", rule)

    def test_bodies_cut_short_are_fetched_again_and_never_stored(self):
        with Simulator("--users", 2, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            self.faults(
                simulator,
                {"match": {"route": "value", "every": 5}, "times": 6,
                 "action": {"close_after_bytes": 700}},
                {"match": {"route": "value", "every": 7}, "times": 4,
                 "action": {"short_content_length": 5}},
                {"match": {"route": "value", "every": 11}, "times": 3,
                 "action": {"reset_after_bytes": 300}})
            report = archive.sync()
            self.assertEqual(report["items"]["failed"], 0)
            self.assert_archived(simulator, archive)

    def test_throttling_and_outages_in_between_are_waited_for(self):
        with Simulator("--users", 2, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            self.faults(
                simulator,
                {"match": {"route": "value", "every": 9}, "times": 4,
                 "action": {"status": 429, "code": "ApplicationThrottled",
                            "headers": {"Retry-After": "1"}}},
                {"match": {"route": "delta", "nth": 2}, "times": 1,
                 "action": {"status": 503, "html": True, "headers": {"Retry-After": "1"}}},
                {"match": {"route": "folders", "nth": 3}, "times": 1, "action": {"status": 504}},
                {"match": {"route": "token", "nth": 1}, "times": 1, "action": {"status": 503}})
            report = archive.sync()
            self.assertGreaterEqual(report["throttled"], 1)
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assert_archived(simulator, archive)

    def test_one_bad_item_is_recorded_and_the_rest_is_archived(self):
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = next(f["id"] for f in user["folders"] if f["well_known"] == "inbox")
            bad = next(m for m in user["messages"] if m["folder"] == inbox)
            self.faults(simulator, {"match": {"route": "value", "message": bad["id"]},
                                    "times": 1000, "action": CONVERSION})
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["status"], "attention")
            self.assertEqual(report["items"]["new"], len(self.expected_messages(simulator)) - 1)
            failures = archive.json("failures", expect=None)
            text = str(failures)
            self.assertIn("ErrorMimeContentConversionFailed", text)
            self.assertIn(bad["id"], text)
            self.assertEqual(report["items"]["reconstructed"], 1, "what can be had is kept")

            with self.subTest("the failed item costs one request in a later sync, and stays"):
                report = archive.sync(expect=1)
                self.assertEqual(report["items"]["new"], 0)

            with self.subTest("once it can be fetched, it is archived and the failure is gone"):
                simulator.control("faults", method="DELETE")
                archive.run("failures", "--retry")
                self.assert_archived(simulator, archive)
                self.assertEqual(archive.sync()["status"], "active")

    def test_an_accepted_failure_no_longer_counts(self):
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = next(f["id"] for f in user["folders"] if f["well_known"] == "inbox")
            bad = next(m for m in user["messages"] if m["folder"] == inbox)
            self.faults(simulator, {"match": {"route": "value", "message": bad["id"]},
                                    "times": 1000, "action": CONVERSION})
            archive.sync(expect=1)
            failures = archive.json("failures", expect=None)
            ref = next(f["ref"] for f in failures["failures"])
            archive.run("failures", "--accept", ref)
            self.assertEqual(archive.sync()["status"], "active")
            self.assertIn(ref, str(archive.json("failures", expect=None)))

    def test_an_outage_is_not_mistaken_for_bad_items(self):
        with Simulator("--users", 1, "--messages", 20) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            simulator.control("deliver", {"user": simulator.users()[0]["id"], "folder": "inbox",
                                          "count": 3})
            self.faults(simulator, {"match": {"route": "value"}, "action": {"status": 503}},
                        {"match": {"route": "folders", "path_contains": "mailFolders/inbox"},
                         "action": {"status": 503}})
            report = archive.sync(expect=7)
            self.assertEqual(report["items"]["failed"], 0)
            kinds = [f["kind"] for f in archive.json("failures", expect=None)["failures"]]
            self.assertNotIn("item", kinds)
            simulator.control("faults", method="DELETE")
            self.assertEqual(archive.sync()["items"]["new"], 3)
            self.assert_archived(simulator, archive)

    def test_an_item_that_alone_can_not_be_fetched_is_a_failure_of_its_own(self):
        with Simulator("--users", 1, "--messages", 20) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = next(f["id"] for f in user["folders"] if f["well_known"] == "inbox")
            bad = next(m for m in user["messages"] if m["folder"] == inbox)
            self.faults(simulator, {"match": {"route": "value", "message": bad["id"]},
                                    "action": {"status": 504, "code": "UnknownError"}})
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["items"]["reconstructed"], 1)
            self.assertEqual(report["items"]["new"], len(self.expected_messages(simulator)) - 1)

    def test_a_mailbox_that_fails_does_not_stop_the_others(self):
        with Simulator("--users", 3, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            broken = simulator.users()[1]
            self.faults(simulator, {"match": {"route": "folders", "user": broken["id"]},
                                    "times": 100000,
                                    "action": {"status": 500, "code": "ErrorInternalServerError"}})
            report = archive.sync(expect=1)
            self.assertEqual(report["accounts"]["failed"], 1)
            self.assertEqual(report["accounts"]["up_to_date"], 2)
            simulator.control("faults", method="DELETE")
            self.assertEqual(archive.sync()["accounts"]["failed"], 0)
            self.assert_archived(simulator, archive)

    def test_a_message_deleted_before_its_fetch_is_counted_and_no_failure(self):
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = next(f["id"] for f in user["folders"] if f["well_known"] == "inbox")
            gone = next(m for m in user["messages"] if m["folder"] == inbox)
            self.faults(simulator, {"match": {"route": "value", "message": gone["id"]}, "times": 1,
                                    "action": {"status": 404, "code": "ErrorItemNotFound"}})
            report = archive.sync()
            self.assertEqual(report["items"]["gone_before_fetch"], 1)
            self.assertEqual(report["items"]["failed"], 0)

    def test_never_more_than_four_requests_for_a_mailbox(self):
        with Simulator("--users", 3, "--messages", 120, "--latency-ms", 20) as simulator:
            archive = self.archive(simulator)
            report = archive.sync()
            self.assertEqual(report["throttled"], 0)
            metrics = simulator.metrics()
            in_flight = metrics["max_in_flight"]
            self.assertTrue(in_flight)
            for user, most in in_flight.items():
                self.assertLessEqual(most, 4, user)

    def test_links_to_elsewhere_are_not_followed(self):
        with Simulator("--users", 1, "--messages", 5) as simulator, Simulator() as stranger:
            archive = self.archive(simulator)
            self.faults(simulator, {"match": {"route": "delta", "nth": 1}, "times": 1,
                                    "action": {"next_link": stranger.url + "/v1.0/users?x=1"}})
            archive.run("sync", expect=None)
            self.assertEqual(stranger.requests(), [])
            simulator.control("faults", method="DELETE")
            archive.sync(expect=None)
            self.assert_archived(simulator, archive)


if __name__ == "__main__":
    unittest.main(verbosity=2)
