"""Limits of the application as a whole, and what failures cost in requests."""

import unittest

from harness import ArchiverTest, Simulator


class ThrottlingTest(ArchiverTest):
    def test_a_limit_of_the_whole_application_is_found_and_kept_to(self):
        with Simulator("--users", 12, "--messages", 250, "--latency-ms", 50) as simulator:
            simulator.control("settings", {"app_max_concurrent": 8, "retry_after": 1})
            archive = self.archive(simulator)
            archive.sync()
            requests = simulator.requests()
            refused = [e["status"] == 429 for e in requests]
            late = refused[len(refused) // 4:]
            print(f"ceiling: {sum(refused)} of {len(refused)} throttled, "
                  f"{sum(late) / len(late):.1%} after the first quarter")
            self.assertGreater(sum(refused), 0)
            self.assertLess(sum(late), 0.03 * len(late))
            self.assert_archived(simulator, archive)

    def test_a_content_that_always_fails_costs_five_requests_and_a_probe(self):
        with Simulator("--users", 1, "--messages", 20) as simulator:
            user = simulator.users()[0]
            inbox = next(f["id"] for f in user["folders"] if f["well_known"] == "inbox")
            bad = next(m["id"] for m in user["messages"] if m["folder"] == inbox)
            simulator.control("faults", {"match": {"route": "value", "message": bad},
                                         "action": {"status": 503}})
            archive = self.archive(simulator)
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["items"]["new"], len(self.expected_messages(simulator)) - 1)
            asked = [e for e in simulator.requests("value") if e["status"] == 503]
            self.assertEqual(len(asked), 5)
            failure = archive.json("failures", expect=1)["failures"][0]
            self.assertEqual(failure["kind"], "item")

    def test_an_outage_of_all_mailboxes_is_not_multiplied(self):
        with Simulator("--users", 40, "--messages", 3) as simulator:
            workers = 8
            archive = self.archive(simulator, accounts_in_parallel=workers)
            archive.sync()
            for route in ("folders", "folders_delta", "delta", "messages", "value"):
                simulator.control("faults", {"match": {"route": route}, "action": {"status": 503}})
            before = max(e["sequence"] for e in simulator.requests())
            archive.sync(expect=7)
            failed = [e for e in simulator.requests(since=before) if e["status"] == 503]
            # Ten accounts end the run, beside those under way; retries have a budget of 50.
            print(f"outage: {len(failed)} requests")
            self.assertLessEqual(len(failed), 10 + workers - 1 + 50)
            simulator.control("faults", method="DELETE")
            archive.sync()
            self.assert_archived(simulator, archive)


if __name__ == "__main__":
    unittest.main()
