"""What concerns one item, one account or one source does not reach further."""

import subprocess
import unittest

from harness import ArchiverTest, Simulator, graph_config, running, wait_until

DENIED = {"status": 403, "code": "ErrorAccessDenied", "message": "Access is denied."}


def folder_of(user, well_known):
    return next(f["id"] for f in user["folders"] if f["well_known"] == well_known)


class EngineFaultsTest(ArchiverTest):
    def objects(self, archive, kind):
        return sum(1 for path in (archive.folder / "archive" / kind).rglob("*") if path.is_file())

    def test_a_mailbox_that_is_denied_does_not_stop_the_others(self):
        with Simulator("--users", 4, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            denied = simulator.users()[0]
            simulator.control("faults", {"match": {"route": "delta", "user": denied["id"]},
                                         "action": DENIED})
            report = archive.sync(expect=1)
            self.assertEqual(report["accounts"]["failed"], 1)
            self.assertEqual(report["accounts"]["up_to_date"], 3)
            simulator.control("faults", method="DELETE")
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_mailboxes_that_are_all_denied_are_a_refused_source(self):
        with Simulator("--users", 3, "--messages", 2) as simulator:
            archive = self.archive(simulator)
            simulator.control("faults", {"match": {"route": "delta"}, "action": DENIED})
            report = archive.sync(expect=3)
            self.assertEqual(report["status"], "error")

    def test_an_item_that_is_denied_is_a_failure_of_its_own(self):
        with Simulator("--users", 2, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = folder_of(user, "inbox")
            denied = next(m for m in user["messages"] if m["folder"] == inbox)
            simulator.control("faults", {"match": {"route": "value", "message": denied["id"]},
                                         "action": DENIED})
            report = archive.sync(expect=1)
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["items"]["new"], len(self.expected_messages(simulator)) - 1)

    def test_a_message_missing_at_its_fetch_and_found_in_another_folder_is_archived(self):
        with Simulator("--users", 1, "--messages", 6, "--folders", 0) as simulator:
            archive = self.archive(simulator, requests_per_account=1)
            archive.sync()
            user = simulator.users()[0]
            message = simulator.control("deliver", {"user": user["id"], "folder": "inbox",
                                                    "count": 1})["messages"][0]
            # Listed in one folder, not to be fetched there, and in a later one in the same run.
            simulator.control("faults", {"match": {"route": "value", "message": message["id"]},
                                         "times": 1,
                                         "action": {"status": 404, "code": "ErrorItemNotFound",
                                                    "delay_ms": 1500}})
            process = archive.start("--json", "sync", stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            with running(process):
                wait_until(lambda: simulator.control("faults")["rules"][0]["fired"] > 0, 20,
                           "the fetch")
                simulator.control("move", {"user": user["id"], "message": message["id"],
                                           "folder": folder_of(user, "sentitems")})
                process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_a_closed_mailbox_costs_the_log_nothing_in_an_idle_run(self):
        with Simulator("--users", 2, "--messages", 5, "--extras") as simulator:
            archive = self.archive(simulator)
            self.assertEqual(archive.sync()["accounts"]["closed_by_policy"], 1)
            before = self.objects(archive, "log")
            archive.sync()
            self.assertEqual(self.objects(archive, "log"), before)

    def test_an_account_of_one_source_can_be_asked_for_among_several(self):
        with Simulator("--users", 2, "--messages", 3) as first, \
                Simulator("--users", 2, "--messages", 3) as second:
            archive = self.archive(first)
            archive.profile["sources"].append(
                {"id": "other", "name": "Other", "provider": "microsoft365",
                 "config": graph_config(second), "schedule": {"every": "5m"}})
            archive.write_profile()
            first.control("users", {"op": "add", "upn": "only.here@contoso.example",
                                    "messages": 3})
            report = archive.json("sync", "--account", "only.here@contoso.example")
            contoso, other = report["sources"]
            self.assertEqual(contoso["items"]["new"], 3)
            self.assertEqual(other["items"]["new"], 0)
            self.assertNotIn("error", other)
            refused = archive.run("sync", "--account", "nobody@contoso.example", expect=2)
            self.assertIn(b"nobody@contoso.example", refused.stderr + refused.stdout)

    def test_equal_contents_of_a_mailbox_are_stored_once_across_runs(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            body = {"user": user["id"], "mime_base64": "U3ViamVjdDogeA0KDQp4DQo="}
            simulator.control("deliver", body)
            archive.sync()
            before = self.objects(archive, "packs")
            self.assertGreater(before, 0)
            simulator.control("deliver", body)
            self.assertEqual(archive.sync()["items"]["new"], 1)
            self.assertEqual(self.objects(archive, "packs"), before)
            self.assert_archived(simulator, archive)
            archive.run("verify")


if __name__ == "__main__":
    unittest.main(verbosity=2)
