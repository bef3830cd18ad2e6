"""What the service asks for on its schedule, and that nobody waits for somebody else's import."""

import contextlib
import json
import signal
import subprocess
import time
import unittest

from harness import ArchiverTest, NOT_ARCHIVED, Simulator, running, wait_until


def folder_of(user, well_known):
    return next(f for f in user["folders"] if f.get("well_known") == well_known)


class PollingTest(ArchiverTest):
    def site(self, simulator, every, **changes):
        archive = self.archive(simulator, **changes)
        schedule = {"every": every}
        archive.profile["sources"][0]["schedule"] = schedule
        archive.write_profile()
        return archive

    @contextlib.contextmanager
    def service(self, archive):
        log = open(archive.folder / "serve.log", "wb")
        with log, running(archive.start("serve", stdout=log, stderr=log)) as process:
            yield process
            self.assertIsNone(process.poll(), (archive.folder / "serve.log").read_text()[-3000:])
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)

    def accounts(self, archive):
        done = subprocess.run(archive.command("--json", "accounts"), capture_output=True, timeout=60)
        if done.returncode != 0:
            return {}
        return {a["id"]: a for a in json.loads(done.stdout)["accounts"]}

    def source(self, archive):
        return archive.json("status")["sources"][0]

    def passes(self, archive):
        return (archive.folder / "serve.log").read_text().count("sync run done")

    def wait_for_passes(self, archive, count, seconds=90):
        until = self.passes(archive) + count
        wait_until(lambda: self.passes(archive) >= until, seconds, f"{count} passes")

    def last_request(self, simulator):
        return max((e["sequence"] for e in simulator.requests()), default=0)

    def test_a_quiet_mailbox_costs_little_and_no_change_is_missed(self):
        with Simulator("--users", 4, "--messages", 40, "--folders", 0) as simulator:
            for user in simulator.users():
                for parent in ("inbox", "archive"):
                    for number in range(8):
                        simulator.control("folders", {
                            "op": "create", "user": user["id"], "parent": parent,
                            "name": f"{parent} {number}"})
            archive = self.site(simulator, "2s")
            with self.service(archive):
                wait_until(lambda: len(self.accounts(archive)) >= 4 and all(
                    a["status"] == "up_to_date" for a in self.accounts(archive).values()
                    if a["status"] != "without_mailbox"), 90, "the import")
                self.wait_for_passes(archive, 3)  # signs are known after two
                before = self.last_request(simulator)
                at = self.passes(archive)
                self.wait_for_passes(archive, 3)
                passes = self.passes(archive) - at + 1
                requests = [e for e in simulator.requests(since=before)
                            if e["route"] not in ("token", "control")]
                folders = parents = 0
                for user in simulator.users():
                    archived = [f for f in user["folders"] if not f["search"]
                                and not f["deleted"]
                                and f["well_known"] not in NOT_ARCHIVED
                                and f["well_known"] != "msgfolderroot"]
                    folders += len(archived)
                    parents += len({f["parent"] for f in archived})
                mailboxes = len(simulator.users())
                # users; changes of folders, their counts, Inbox and Sent Items
                bound = passes * (1 + mailboxes * 3 + parents)
                print(f"quiet: {len(requests) / passes:.1f} requests a pass, {folders} folders, "
                      f"{mailboxes} mailboxes, {parents} parents")
                self.assertLessEqual(len(requests), bound)
                self.assertLess(bound, passes * folders)

                user = simulator.users()[1]
                nested = [f for f in user["folders"] if not f["well_known"] and not f["search"]][-1]
                for folder in ("archive", nested["id"]):
                    items = self.accounts(archive)[user["id"]]["items"]
                    simulator.control("deliver", {"user": user["id"], "folder": folder})
                    wait_until(lambda: self.accounts(archive)[user["id"]]["items"] > items, 30,
                               "new mail in a folder of its own")
            self.assert_archived(simulator, archive)

    def test_a_swap_that_the_counts_do_not_show_is_found_within_the_lag(self):
        with Simulator("--users", 2, "--messages", 40) as simulator:
            archive = self.site(simulator, "1s", max_lag_seconds=15)
            with self.service(archive):
                wait_until(lambda: len(self.accounts(archive)) >= 2 and all(
                    a["status"] == "up_to_date" for a in self.accounts(archive).values()), 90)
                self.wait_for_passes(archive, 3)
                user = simulator.users()[0]
                where = folder_of(user, "archive")["id"]
                given = simulator.control("deliver", {"user": user["id"], "folder": where})
                items = self.accounts(archive)[user["id"]]["items"]
                wait_until(lambda: self.accounts(archive)[user["id"]]["items"] > items - 1, 30)
                self.wait_for_passes(archive, 2)
                # One in, one out, both unread: the counts stay.
                items = self.accounts(archive)[user["id"]]["items"]
                simulator.control("deliver", {"user": user["id"], "folder": where})
                simulator.control("delete", {"user": user["id"],
                                             "message": given["messages"][0]["id"]})
                started = time.monotonic()
                wait_until(lambda: self.accounts(archive)[user["id"]]["items"] > items, 60,
                           "the swapped message")
                print(f"swap: found after {time.monotonic() - started:.1f} s")
                lag = self.source(archive)["polling"]
                self.assertGreater(lag["folders"], 0)
                self.assertLessEqual(lag["p50_lag_seconds"], lag["max_lag_seconds"])
                self.assertLess(lag["max_lag_seconds"], 60)
            self.assert_archived(simulator, archive)

    def test_new_mail_of_small_mailboxes_flows_while_a_huge_one_imports(self):
        with Simulator("--users", 9, "--messages", 6, "--latency-ms", 60) as simulator:
            huge, *small = simulator.users()
            simulator.control("deliver", {"user": huge["id"], "folder": "inbox", "count": 2500,
                                          "size": 3000, "sha256": False})
            archive = self.site(simulator, "4s", accounts_in_parallel=2)
            with self.service(archive):
                accounts = lambda: self.accounts(archive)
                wait_until(lambda: accounts() and all(
                    accounts()[u["id"]]["status"] == "up_to_date" for u in small), 60,
                    "the small mailboxes")
                self.assertEqual(accounts()[huge["id"]]["status"], "importing")
                slowest = 0
                for user in small[:3]:
                    items = accounts()[user["id"]]["items"]
                    before = accounts()[huge["id"]]["items"]
                    simulator.control("deliver", {"user": user["id"], "folder": "inbox"})
                    started = time.monotonic()
                    wait_until(lambda: accounts()[user["id"]]["items"] > items, 30, "new mail")
                    slowest = max(slowest, time.monotonic() - started)
                    wait_until(lambda: accounts()[huge["id"]]["items"] > before, 30,
                               "the huge one goes on as well")
                self.assertEqual(accounts()[huge["id"]]["status"], "importing")
                print(f"fairness: new mail after {slowest:.1f} s at most, "
                      f"{accounts()[huge['id']]['items']} of the huge mailbox")
                self.assertEqual(self.source(archive)["status"], "importing")
                # Pass after pass, no message of the huge one is fetched twice.
                wait_until(lambda: accounts()[huge["id"]]["status"] == "up_to_date", 240,
                           "the huge mailbox")
                self.assertEqual(simulator.metrics()["value_repeated"], {})
            self.assert_archived(simulator, archive)


if __name__ == "__main__":
    unittest.main()
