"""What an administrator sees: coverage, failures, counters, time left, estimates, and no more."""

import json
import re
import subprocess
import time
import unittest

from harness import SECRET, ArchiverTest, Simulator, running, wait_until

CONVERSION = {"status": 500, "code": "ErrorMimeContentConversionFailed",
              "message": "MIME content conversion failed."}
DENIED = {"status": 403, "code": "ErrorAccessDenied", "message": "Access is denied."}


def folder_of(user, well_known):
    return next(f["id"] for f in user["folders"] if f.get("well_known") == well_known)


def covered(coverage):
    return sum(coverage[name] for name in ("archived", "excluded", "failed", "pending",
                                           "unexplained"))


class VisibilityTest(ArchiverTest):
    def accounts(self, archive):
        return {a["id"]: a for a in archive.json("accounts")["accounts"]}

    def folders(self, archive, user):
        listed = archive.json("folders", "--account", user["id"])["folders"]
        return {f["id"]: f for f in listed}

    def held(self, user, folder):
        return sum(1 for m in user["messages"] if m["folder"] == folder and not m["deleted"])

    def source(self, archive):
        return archive.json("status")["sources"][0]

    def test_coverage_accounts_for_every_item_that_the_service_counts(self):
        with Simulator("--users", 3, "--messages", 60, "--extras") as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            simulator.control("deliver", {"user": user["id"], "folder": "drafts", "count": 4,
                                          "draft": True})
            bad = next(m for m in user["messages"] if m["folder"] == folder_of(user, "inbox"))
            # Of every route, so that nothing of the message can be had.
            simulator.control("faults", {"match": {"message": bad["id"]}, "action": CONVERSION})
            archive.sync(expect=1)
            user = simulator.users()[0]

            seen = self.accounts(archive)
            available = [a for a in seen.values() if a["status"] == "up_to_date"]
            self.assertGreaterEqual(len(available), 3)
            for account in available:
                coverage = account["coverage"]
                self.assertEqual(coverage["unexplained"], 0, account)
                self.assertEqual(coverage["pending"], 0)
                self.assertEqual(coverage["folders_unknown"], 0)
                self.assertEqual(coverage["upstream"], covered(coverage))
                self.assertIsNotNone(coverage["counted_at"])
                self.assertEqual(account["archive_mailbox"], "unknown")
                self.assertLess(account["lag_seconds"], 300)
            for account in seen.values():
                if account["status"] != "up_to_date":
                    self.assertIsNone(account["coverage"])
            first = seen[user["id"]]["coverage"]
            self.assertEqual(first["failed"], 1)
            self.assertEqual(first["upstream"], sum(
                self.held(user, f["id"]) for f in user["folders"]
                if f["well_known"] not in ("recoverableitemsdeletions", "searchfolders")
                and not f.get("search")))
            folders = self.folders(archive, user)
            drafts = folders[folder_of(user, "drafts")]
            self.assertEqual(drafts["status"], "excluded")
            self.assertEqual(drafts["coverage"]["excluded"],
                             self.held(user, folder_of(user, "drafts")))
            self.assertGreaterEqual(drafts["coverage"]["excluded"], 4)
            inbox = folders[folder_of(user, "inbox")]
            self.assertEqual(inbox["status"], "up_to_date")
            self.assertEqual((inbox["coverage"]["failed"], inbox["failures"]), (1, 1))
            total = self.source(archive)["coverage"]
            for name in ("upstream", "archived", "excluded", "failed"):
                self.assertEqual(total[name], sum(a["coverage"][name] for a in available))

            with self.subTest("what leaves later is no loss"):
                gone = next(m for m in user["messages"]
                            if m["folder"] == folder_of(user, "inbox") and m["id"] != bad["id"])
                simulator.control("delete", {"user": user["id"], "message": gone["id"]})
                archive.sync(expect=1)
                self.assertEqual(self.source(archive)["coverage"]["unexplained"], 0)

            with self.subTest("an accepted failure stays explained"):
                ref = archive.json("failures", expect=1)["failures"][0]["ref"]
                archive.run("failures", "--accept", ref)
                archive.sync("--reconcile", expect=None)
                coverage = self.source(archive)["coverage"]
                self.assertEqual((coverage["failed"], coverage["unexplained"]), (1, 0))

            with self.subTest("tables"):
                table = archive.run("accounts", "--coverage").stdout.decode()
                self.assertIn("UNEXPLAINED", table)
                self.assertIn("ARCHIVE MAILBOX", table)
                table = archive.run("folders", "--coverage").stdout.decode()
                self.assertIn("excluded", table)

    def test_what_a_listing_loses_is_unexplained_until_a_reconcile_finds_it(self):
        with Simulator("--users", 1, "--messages", 20) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]
            inbox = folder_of(user, "inbox")
            link = (f"{simulator.url}/v1.0/users/{user['id']}/mailFolders/{inbox}"
                    "/messages/delta?$deltatoken=nothing")
            simulator.control("faults", {
                "match": {"route": "delta", "path_contains": inbox}, "times": 1,
                "action": {"status": 200, "content_type": "application/json",
                           "body": json.dumps({"value": [], "@odata.deltaLink": link})}})
            archive.sync()
            held = self.held(user, inbox)
            self.assertGreater(held, 0)
            coverage = self.source(archive)["coverage"]
            self.assertEqual(coverage["unexplained"], held)
            folder = self.folders(archive, user)[inbox]
            self.assertEqual(folder["coverage"]["unexplained"], held)
            self.assertIn(str(held), archive.run("status").stdout.decode())
            archive.sync("--reconcile")
            self.assertEqual(self.source(archive)["coverage"]["unexplained"], 0)
            self.assert_archived(simulator, archive)

    def test_failures_of_folders_and_accounts_say_what_where_and_when_next(self):
        with Simulator("--users", 3, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            users = simulator.users()
            inbox = folder_of(users[0], "inbox")
            simulator.control("faults", [
                {"match": {"route": "delta", "path_contains": inbox},
                 "action": {"status": 400, "code": "ErrorInvalidRequest", "message": "Bad."}}])
            process = archive.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                wait_until(lambda: self.source_if_any(archive).get("good_run_at"), 60, "a run")
                failed = {f["kind"]: f for f in archive.json("failures", expect=1)["failures"]}
                folder = self.folders(archive, users[0])[inbox]
                self.assertEqual(folder["status"], "failed")
                self.assertEqual(folder["error"]["code"], failed["folder"]["code"])
                self.assertTrue(failed["folder"]["request_id"])
                self.assertEqual(folder["error"]["request_id"], failed["folder"]["request_id"])
                for place in (folder["error"], failed["folder"]):
                    self.assertRegex(place["next_try_at"], r"^\d{4}-.*Z$")
                process.terminate()
                process.wait(30)
            self.assertIsNone(self.folders(archive, users[0])[inbox]["error"]["next_try_at"],
                              "without a service nobody knows")

    def source_if_any(self, archive):
        document = archive.run("--json", "status", expect=None)
        return json.loads(document.stdout)["sources"][0] if document.returncode == 0 else {}

    def test_requests_are_counted_by_route_and_status_as_the_service_saw_them(self):
        with Simulator("--users", 2, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            simulator.control("faults", [
                {"match": {"route": "value", "every": 9}, "times": 3,
                 "action": {"status": 429, "code": "ApplicationThrottled",
                            "headers": {"Retry-After": "1"}}},
                {"match": {"route": "delta", "nth": 2}, "times": 1,
                 "action": {"status": 503, "headers": {"Retry-After": "1"}}}])
            report = archive.sync()
            seen = {}
            for request in simulator.requests():
                if request["route"] in ("control", "discovery"):
                    continue
                key = f'requests_total{{route="{request["route"]}",status="{request["status"]}"}}'
                seen[key] = seen.get(key, 0) + 1
            metrics = report["metrics"]
            counted = {k: v for k, v in metrics.items() if k.startswith("requests_total")}
            self.assertEqual(counted, seen)
            self.assertEqual(metrics['requests_total{route="value",status="429"}'], 3)
            self.assertGreaterEqual(metrics["content_wait_milliseconds_total"], 1000)
            self.assertEqual(metrics['response_bytes_total{route="value"}'],
                             report["bytes_downloaded"])
            self.assertGreater(metrics['response_bytes_total{route="delta"}'], 1000)
            self.assertEqual(self.source(archive)["last_run"]["metrics"], metrics)

    def test_a_running_service_says_how_long_it_will_take(self):
        with Simulator("--users", 2, "--messages", 300, "--latency-ms", 60) as simulator:
            archive = self.archive(simulator)
            expected = len(self.expected_messages(simulator))
            process = archive.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                told = []

                def left():
                    source = self.source_if_any(archive)
                    runs = (source.get("progress") or {"sources": []})["sources"]
                    if source.get("good_run_at"):
                        return True
                    if runs and runs[0]["seconds_left"] is not None and runs[0]["new"] > 20:
                        told.append((time.monotonic(), runs[0], source["coverage"]))
                    return False

                wait_until(left, 120, "the import")
                ended = time.monotonic()
                self.assertGreater(len(told), 0)
                at, run, coverage = told[0]
                self.assertGreater(coverage["pending"], 0)
                self.assertEqual(coverage["unexplained"], 0)
                self.assertEqual(coverage["upstream"], covered(coverage))
                self.assertGreater(run["seconds_left"], 0)
                # Wide: the machine may be busy. Without the limits it would be off by ten.
                self.assertLess(run["seconds_left"], 6 * (ended - at) + 10)
                self.assertGreater(run["seconds_left"], (ended - at) / 6 - 10)
                account = run["accounts_under_way"][0]
                self.assertLessEqual(account["done"], account["expected"])
                self.assertLessEqual(account["expected"], expected)
                source = self.source_if_any(archive)
                self.assertGreater(source["metrics"]["requests"], expected)
                self.assertEqual(archive.json("accounts")["accounts"][0]["progress"], None)

    def test_an_estimate_is_close_and_cheap_and_archives_nothing(self):
        with Simulator("--users", 4, "--messages", 150, "--extras",
                       "--latency-ms", 20) as simulator:
            archive = self.archive(simulator)
            expected = self.expected_messages(simulator)
            checked = archive.json("source", "check", "contoso", "--estimate")
            self.assertTrue(checked["passed"])
            estimate = checked["estimate"]
            self.assertFalse(estimate["extrapolated"])
            self.assertEqual(estimate["accounts"], estimate["accounts_sampled"])
            self.assertEqual(estimate["items"], len(expected))
            size = sum(m["size"] for m in expected.values())
            self.assertGreater(estimate["bytes"], size / 5)
            self.assertLess(estimate["bytes"], size * 5)
            self.assertGreater(estimate["items_sampled"], 50)
            self.assertEqual(estimate["stored_ratio_from"], "assumption")
            self.assertEqual(estimate["disk_bytes"],
                             round(estimate["bytes"] * estimate["stored_ratio"]))
            self.assertGreaterEqual(estimate["milliseconds_per_item"], 20)
            self.assertGreaterEqual(estimate["seconds"], estimate["longest_account_seconds"])
            self.assertGreater(estimate["seconds"], 0)
            self.assertLessEqual(len(simulator.requests("value")), 3 * 16)
            self.assertFalse((archive.folder / "archive").exists())
            text = archive.run("source", "check", "contoso", "--estimate").stdout.decode()
            self.assertIn("first import", text)

            with self.subTest("a source that can't be read is not estimated"):
                simulator.control("settings", {"token_error": 7000215})
                refused = archive.json("source", "check", "contoso", "--estimate", expect=3)
                self.assertIsNone(refused["estimate"])

    def test_an_estimate_of_many_mailboxes_looks_at_some_and_says_so(self):
        with Simulator("--users", 60, "--messages", 12, "--folders", 0) as simulator:
            archive = self.archive(simulator)
            expected = len(self.expected_messages(simulator))
            estimate = archive.json("source", "check", "contoso", "--estimate")["estimate"]
            self.assertTrue(estimate["extrapolated"])
            self.assertEqual((estimate["accounts"], estimate["accounts_sampled"]), (60, 16))
            self.assertAlmostEqual(estimate["items"], expected, delta=expected / 3)

    def test_logs_name_ids_and_never_people_or_what_they_write(self):
        with Simulator("--users", 4, "--messages", 25, "--extras") as simulator:
            archive = self.archive(simulator, folders={"include": ["*", "nosuchfolder"]})
            users = simulator.users()
            bad = [m for m in users[0]["messages"]
                   if m["folder"] == folder_of(users[0], "inbox")][:2]
            simulator.control("faults", [
                {"match": {"route": "value", "message": bad[0]["id"]}, "action": CONVERSION},
                {"match": {"route": "value", "message": bad[1]["id"]}, "action": DENIED},
                {"match": {"route": "value", "every": 13}, "times": 4,
                 "action": {"status": 429, "code": "ApplicationThrottled",
                            "headers": {"Retry-After": "1"}}},
                {"match": {"route": "delta",
                           "path_contains": folder_of(users[1], "sentitems")},
                 "action": {"status": 400, "code": "ErrorInvalidRequest",
                            "message": f"Bad: {users[1]['upn']}"}},
                {"match": {"route": "folders", "user": users[2]["id"]},
                 "action": {"status": 500, "code": "ErrorInternalServerError",
                            "message": f"No: {users[2]['upn']}"}, "times": 20}])
            log_file = archive.folder / "service.log"
            with open(log_file, "wb") as log:
                process = archive.start("serve", stdout=log, stderr=log)
                with running(process):
                    wait_until(lambda: b"sync run " in log_file.read_bytes(), 120, "a run")
                    simulator.control("expire-delta", {})
                    simulator.control("users", {"op": "remove", "user": users[3]["id"]})
                    archive.run("--json", "sync", expect=None)
                    process.terminate()
                    process.wait(30)
            simulator.control("settings", {"token_error": 7000215})
            sync = archive.run("--log-level", "info", "sync", expect=3)
            text = log_file.read_text(errors="replace") + sync.stderr.decode(errors="replace")
            self.assertIn(bad[0]["id"], text, "failures are named by id")
            self.assertGreaterEqual(text.count("failed"), 3)
            for secret in self.words_of_people(simulator, archive) | {SECRET}:
                self.assertNotIn(secret.lower(), text.lower(), secret)
            self.assertIsNone(re.search(r"eyJ[A-Za-z0-9_-]{10,}\.", text), "no token")

    def words_of_people(self, simulator, archive):
        """Addresses, names and subjects that the tenant or its mail has."""
        words = set()
        for user in simulator.users():
            words |= {user["upn"], user.get("mail") or user["upn"], user["name"]}
        for entry in archive.export():
            words |= {entry["address"], entry["subject"]}
        words = {word for word in words if word and len(word) > 5}
        self.assertGreater(len(words), 50)
        return words


if __name__ == "__main__":
    unittest.main(verbosity=2)
