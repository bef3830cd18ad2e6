"""What other archivers got wrong, and users had to live with: here it does not happen."""

import base64
import os
import signal
import subprocess
import time
import unittest

from fault_catalogue import fault
from harness import ArchiverTest, Simulator, running


def folder_of(user, well_known):
    return next(f["id"] for f in user["folders"] if f["well_known"] == well_known)


def last_sequence(simulator):
    return max((e["sequence"] for e in simulator.requests()), default=0)


class PeersTest(ArchiverTest):
    def test_one_bad_message_does_not_make_a_mailbox_be_listed_anew(self):
        with Simulator("--users", 1, "--messages", 60) as simulator:
            archive = self.archive(simulator)
            bad = sorted(self.expected_messages(simulator))[0][1]
            simulator.control("faults", fault("not_convertible", "value", message=bad))
            archive.sync(expect=1)
            since = last_sequence(simulator)
            archive.sync(expect=1)
            listings = simulator.requests("delta", since=since)
            self.assertTrue(all("deltatoken" in e["path"] for e in listings), listings)
            fetched = {e["path"].split("/messages/")[1] for e in
                       simulator.requests("value", since=since)}
            self.assertLessEqual(len(fetched), 1, "only what failed is asked for again")

    def test_a_crash_near_the_end_does_not_begin_from_zero(self):
        with Simulator("--users", 1, "--messages", 400, "--latency-ms", 20) as simulator:
            archive = self.archive(simulator)
            process = archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                deadline = time.monotonic() + 60
                while len(simulator.requests("value")) < 250:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
                time.sleep(1.5)  # durable a second later
                process.send_signal(signal.SIGKILL)
                process.wait()
            before = len(simulator.requests("value"))
            since = last_sequence(simulator)
            archive.sync()
            again = len(simulator.requests("value", since=since))
            everything = len(self.expected_messages(simulator))
            self.assertLess(before + again, everything * 1.5)
            self.assert_archived(simulator, archive)

    def test_a_long_retry_after_is_waited_for_and_the_request_sent_again(self):
        with Simulator("--users", 1, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            for route in ("delta", "value"):
                simulator.control("faults", fault("throttled", route, 1,
                                                  {"headers": {"Retry-After": "4"}}, nth=3))
            archive.sync()
            self.assert_archived(simulator, archive)
            mailbox = [e for e in simulator.requests() if e["user"]]
            for refused in (e for e in mailbox if e["status"] == 429):
                answered = refused["time_ms"] + refused["duration_ms"]
                soon = [e for e in mailbox if answered + 200 < e["time_ms"] < answered + 3500]
                self.assertEqual(soon, [], "the whole mailbox waits")

    def test_throttling_without_end_does_not_multiply_requests(self):
        with Simulator("--users", 1, "--messages", 50) as simulator:
            archive = self.archive(simulator)
            simulator.control("faults", fault("throttled_silently", "value"))
            process = archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                time.sleep(15)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(30), 130)
            refused = [e for e in simulator.requests() if e["status"] == 429]
            self.assertGreater(len(refused), 1)
            # Four under way at first; then one pause for all of them, each longer than the last.
            self.assertLessEqual(len(refused), 20, [e["time_ms"] for e in refused])

    def test_a_large_folder_is_listed_in_large_pages(self):
        with Simulator("--users", 1, "--messages", 1500, "--folders", 0) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            user = simulator.users()[0]
            folders = [f for f in user["folders"] if f["messages"]]
            walked = [e for e in simulator.requests("delta") if e["status"] == 200]
            most = sum(f["messages"] // 500 + 2 for f in folders) + len(user["folders"])
            self.assertLessEqual(len(walked), most)
            for entry in walked:
                self.assertNotIn("$top", entry["path"])
                self.assertLessEqual(entry["path"].count("select="), 1)
                if "token=" in entry["path"]:
                    self.assertNotIn("select", entry["path"], "the link says it already")
            self.assert_archived(simulator, archive)

    def test_messages_of_one_mailbox_are_fetched_side_by_side(self):
        with Simulator("--users", 1, "--messages", 60, "--latency-ms", 50) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            self.assertEqual(max(simulator.metrics()["max_in_flight"].values()), 4)

    def test_drafts_that_are_not_archived_are_not_downloaded(self):
        with Simulator("--users", 1, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            draft = simulator.control("deliver", {"user": user["id"], "folder": "drafts",
                                                  "draft": True})["messages"][0]
            archive.sync()
            simulator.control("touch", {"user": user["id"], "message": draft["id"]})
            archive.sync()
            self.assertEqual([e for e in simulator.requests("value") if draft["id"] in e["path"]],
                             [])

    def test_a_huge_message_does_not_have_to_fit_into_memory(self):
        with Simulator("--users", 1, "--messages", 3, "--large-bytes", 157286400) as simulator:
            archive = self.archive(simulator)
            process = archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            self.assertLess(usage.ru_maxrss, 150 * 1024, "KiB at the most")
            self.assert_archived(simulator, archive)

    def test_the_time_of_arrival_is_the_services_and_not_the_senders(self):
        with Simulator("--users", 1, "--messages", 0) as simulator:
            archive = self.archive(simulator)
            mime = b"Date: Mon, 05 Jan 1970 00:00:00 +0000\r\nSubject: x\r\n\r\nx\r\n"
            simulator.control("deliver", {
                "user": simulator.users()[0]["id"], "received": "2026-11-01T10:00:00Z",
                "mime_base64": base64.b64encode(mime).decode()})
            archive.sync()
            (entry,) = self.assert_archived(simulator, archive)
            self.assertEqual(entry["received_at"][:19], "2026-11-01T10:00:00")

    def test_a_message_id_used_again_hides_nothing(self):
        with Simulator("--users", 2, "--messages", 0) as simulator:
            archive = self.archive(simulator)
            for number, user in enumerate(simulator.users() * 2):
                mime = f"Message-ID: <same@contoso.example>\r\nSubject: {number}\r\n\r\n{number}"
                simulator.control("deliver", {"user": user["id"], "mime_base64":
                                              base64.b64encode(mime.encode()).decode()})
            self.assertEqual(archive.sync()["items"]["new"], 4)
            entries = self.assert_archived(simulator, archive)
            self.assertEqual(len({e["sha256"] for e in entries}), 4)

    def test_a_folder_that_is_chosen_later_is_imported_then(self):
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator, folders={"exclude": ["inbox"]})
            archive.sync()
            user = simulator.users()[0]
            inbox = folder_of(user, "inbox")
            archived = {e["item"] for e in self.fresh_export(archive)}
            self.assertFalse(archived & {m["id"] for m in user["messages"]
                                         if m["folder"] == inbox})
            del archive.profile["sources"][0]["config"]["folders"]
            archive.write_profile()
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_what_is_stored_shows_no_mail(self):
        with Simulator("--users", 1, "--messages", 0) as simulator:
            archive = self.archive(simulator)
            secret = b"a-word-that-is-nowhere-else " * 40
            simulator.control("deliver", {
                "user": simulator.users()[0]["id"],
                "mime_base64": base64.b64encode(b"Subject: x\r\n\r\n" + secret).decode()})
            archive.sync()
            for path in (archive.folder / "archive").rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"a-word-that-is-nowhere-else", path.read_bytes(), path)


if __name__ == "__main__":
    unittest.main(verbosity=2)
