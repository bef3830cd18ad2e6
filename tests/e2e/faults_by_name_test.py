"""Each fault of the catalogue, and what the archive holds afterwards."""

import base64
import concurrent.futures
import itertools
import time

from fault_catalogue import CATALOGUE, fault
from harness import ArchiverTest, Archive, Simulator, graph_config

# Waiting takes most of the time: several tenants at once.
AT_ONCE = 4


class FaultsByNameTest(ArchiverTest):
    sites = itertools.count()

    def each(self, cases, run):
        """Runs `run(*case)` for all, and reports every one that failed."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {pool.submit(run, *case): case for case in cases}
            for future in concurrent.futures.as_completed(futures):
                with self.subTest(futures[future]):
                    future.result()

    def site(self, simulator):
        # Pages of ten, so that each walk has several.
        simulator.control("settings", {"page_size_max": 10})
        return self.archive(simulator, f"site-{next(self.sites)}")

    @staticmethod
    def tenant():
        return Simulator("--users", 1, "--messages", 40)

    def absorbed(self, route, name, match, times, action=None):
        """The sync ends well, and everything is there."""
        with self.tenant() as simulator:
            archive = self.site(simulator)
            simulator.control("faults", fault(name, route, times, action, **match))
            report = archive.sync()
            fired = simulator.control("faults")["rules"][0]["fired"]
            self.assertGreaterEqual(fired, 1, "nothing was tested")
            self.assertEqual(report["items"]["failed"], 0)
            self.assertEqual(report["status"], "active")
            self.assert_archived(simulator, archive)

    def overcome(self, route, name, match, codes, action=None):
        """The sync ends soon and says so; nothing wrong is kept, and the next one mends all."""
        with self.tenant() as simulator:
            archive = self.site(simulator)
            rule = fault(name, route, 0, action, **match)
            if "{graph}" in rule["action"].get("next_link", ""):
                rule["action"]["next_link"] = rule["action"]["next_link"].format(
                    graph=simulator.url)
            simulator.control("faults", rule)
            began = time.monotonic()
            done = archive.run("--json", "sync", expect=None, timeout=120)
            self.assertIn(done.returncode, codes, done.stderr.decode()[-2000:])
            self.assertLess(time.monotonic() - began, 90)
            self.assertGreaterEqual(simulator.control("faults")["rules"][0]["fired"], 1)
            kinds = [f["kind"] for f in archive.json("failures", expect=None)["failures"]]
            self.assertNotIn("item", kinds, "the items are not to blame")
            simulator.control("faults", method="DELETE")
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_what_passes_is_waited_for(self):
        """2, 27, 29, 30, 32, 37, 38: as they come and go, on listings and on contents."""
        passing = ["throttled", "throttled_fraction", "throttled_date", "throttled_negative",
                   "throttled_zero", "throttled_nonsense", "throttled_silently",
                   "throttled_by_a_clock_ahead", "unavailable",
                   "gateway_timeout", "bad_gateway_page", "internal_error", "empty_503",
                   "unknown_error", "mailbox_info_stale", "empty_404", "unauthorized", "no_answer",
                   "reset_before_answer", "reset_after_head", "reset", "cut", "short_body",
                   "connection_closed", "closed_silently", "slow", "slow_head", "gzip"]
        cases = [(route, name, {"nth": nth}, 1)
                 for name in passing for route, nth in (("delta", 2), ("value", 7))]
        cases += [("folders", name, {"nth": 2}, 1) for name in ("throttled", "empty_503", "reset")]
        cases += [("users", name, {"nth": 1}, 1) for name in ("throttled", "empty_503", "reset")]
        cases += [("token", name, {"nth": 1}, 1)
                  for name in ("throttled", "empty_503", "bad_gateway_page", "slow", "reset")]
        cases += [("value", "cut_between_chunks", {"nth": 3}, 1, {"close_after_bytes": 0}),
                  ("value", "empty_200", {"nth": 3}, 1), ("value", "error_after_200", {"nth": 3}, 1)]
        self.each(cases, self.absorbed)

    def test_an_answer_that_is_no_listing_is_asked_for_again(self):
        """38"""
        cases = [(route, name, {"nth": nth}, 1)
                 for name in ("html_instead", "json_cut")
                 for route, nth in (("delta", 2), ("folders", 2), ("users", 1))]
        self.each(cases, self.absorbed)

    def test_a_listing_in_odd_clothes_is_read(self):
        """38, 17, 18, 43, 14: always"""
        cases = [("delta", name, {}, 0)
                 for name in ("byte_order_mark", "control_characters", "unknown_members",
                              "huge_numbers", "duplicates", "backwards", "removed_unknown",
                              "clock_ahead")]
        cases.append(("delta", "both_links", {"nth": 2}, 1))
        self.each(cases, self.absorbed)

    def test_a_change_token_that_is_lost_costs_a_listing_and_no_download(self):
        """22"""
        def run(name, headers):
            with self.tenant() as simulator:
                archive = self.site(simulator)
                archive.sync()
                simulator.control("reset-metrics", {})
                since = max(e["sequence"] for e in simulator.requests())
                simulator.control("faults", fault(name, "delta", 2, {"headers": headers},
                                                  path_contains="deltatoken"))
                report = archive.sync()
                self.assertEqual(report["items"]["new"], 0)
                self.assertEqual(simulator.requests("value", since=since), [])
                self.assert_archived(simulator, archive)
        names = [name for name in CATALOGUE if name.startswith(("token_lost", "token_inv", "resync"))]
        self.each([(name, {}) for name in names] +
                  [("resync_required", {"Location": "http://127.0.0.1:9/v1.0/users?$deltatoken="})],
                  run)

    def test_a_change_token_that_is_lost_within_a_walk(self):
        """23: in the first walk, and again in the walk that replaces it"""
        self.each([("delta", "token_lost", {"path_contains": "skiptoken", "nth": nth}, 1)
                   for nth in (1, 2)] +
                  [("delta", "token_lost", {"path_contains": "skiptoken", "every": 2}, 2)],
                  self.absorbed)

    def test_what_does_not_pass_ends_the_sync_soon_and_the_next_one_goes_on(self):
        """15, 16, 23, 27, 29, 32, 37, 38: all the time"""
        partly, refused, outage = (1,), (3,), (1, 7)
        self.each([
            ("delta", "circle", {}, partly),
            ("delta", "endless", {}, partly),
            ("delta", "link_without_user", {}, partly),
            ("delta", "link_relative", {}, partly),
            ("delta", "link_elsewhere", {}, partly),
            ("delta", "no_link", {}, outage),
            ("delta", "token_lost", {}, partly),
            ("delta", "json_cut", {}, outage),
            ("delta", "json_without_values", {}, outage),
            ("delta", "gzip", {}, outage),
            ("value", "unauthorized", {}, refused),
            ("token", "bad_gateway_page", {}, outage),
            ("any", "no_answer", {}, outage),
            ("delta", "throttled", {}, outage, {"headers": {"Retry-After": "86400"}}),
            ("value", "throttled", {}, outage, {"headers": {"Retry-After": "86400"}}),
        ], self.overcome)

    def test_a_message_that_can_not_be_had_is_a_failure_of_its_own(self):
        """32: the others are archived, and it follows once it can be had"""
        def run(name):
            with self.tenant() as simulator:
                archive = self.site(simulator)
                everything = self.expected_messages(simulator)
                bad = sorted(everything)[0][1]
                simulator.control("faults", fault(name, "value", message=bad))
                report = archive.sync(expect=1)
                self.assertEqual(report["items"]["failed"], 1)
                self.assertEqual(report["items"]["new"], len(everything) - 1)
                (failure,) = archive.json("failures", expect=None)["failures"]
                self.assertEqual(failure["item"], bad)
                simulator.control("faults", method="DELETE")
                archive.run("failures", "--retry")
                self.assert_archived(simulator, archive)
        self.each([(name,) for name in ("not_convertible", "refused_form", "empty_200",
                                        "error_after_200", "empty_404")], run)

    def test_pages_of_any_size(self):
        """11, 13, 24, 40: the preference ignored, exceeded, not acknowledged; empty pages"""
        def run(settings, messages):
            with Simulator("--users", 1, "--messages", messages) as simulator:
                archive = self.site(simulator)
                simulator.control("settings", settings)
                archive.sync()
                self.assert_archived(simulator, archive)
                for message in simulator.users()[0]["messages"][:5]:
                    simulator.control("touch", {"user": simulator.users()[0]["id"],
                                                "message": message["id"]})
                self.assertEqual(archive.sync()["items"]["new"], 0)
                self.assert_archived(simulator, archive)
        self.each([({"page_size_fixed": 3}, 40), ({"page_size_fixed": 2000}, 1200),
                   ({"empty_pages": True, "preference_applied": False}, 40),
                   ({"partial_flips": True, "replay": 1000}, 40)], run)

    def test_added_and_removed_in_one_page(self):
        """17: in either order the bytes are kept, and a reconcile says where the message is"""
        def run(place):
            with self.tenant() as simulator:
                archive = self.site(simulator)
                user = simulator.users()[0]
                removed = [{"id": m["id"], "@removed": {"reason": "deleted"}}
                           for m in user["messages"][:10]]
                simulator.control("faults", fault("duplicates", "delta", 0, {place: removed}))
                archive.sync()
                simulator.control("faults", method="DELETE")
                self.assertEqual(archive.sync("--reconcile")["items"]["new"], 0)
                self.assert_archived(simulator, archive)
        self.each([("first_items",), ("last_items",)], run)

    def test_a_message_that_went_and_came_back_is_found_by_a_reconcile(self):
        """19, 21: the delta tells of its leaving only"""
        with self.tenant() as simulator:
            archive = self.site(simulator)
            archive.sync()
            simulator.control("settings", {"immutable_loss": True, "replay": 10})
            user = simulator.users()[0]
            message = next(m for m in user["messages"]
                           if any(f["id"] == m["folder"] and f["well_known"] == "inbox"
                                  for f in user["folders"]))
            for folder in ("archive", "inbox"):
                simulator.control("move", {"user": user["id"], "message": message["id"],
                                           "folder": folder})
            archive.sync()
            report = archive.sync("--reconcile")
            self.assertEqual(report["items"]["new"], 0)
            self.assert_archived(simulator, archive)

    def test_any_bytes_come_back_as_they_were(self):
        """32, 33: bare LF, NUL, 8-bit, no end of line, no or the same Message-ID, TNEF, reports"""
        same = b"Message-ID: <same@contoso.example>\r\n"
        contents = [
            b"x", b"\n", b"\0", b"{\"no\":\"header\"}", b"Subject: bare\n\nLF only\n",
            b"Subject: NUL\r\n\r\na\0b\r\n", bytes(range(256)) * 40,
            "Subject: 8-bit ä\r\n\r\n€".encode("latin-1", "replace"), b"no headers at all",
            same + b"\r\none\r\n", same + b"\r\ntwo\r\n", b"Subject: no id\r\n\r\n.\r\n",
            b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+Ig==\r\n",
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b--\r\n",
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nMIAG\r\n",
            b"A: " + b"long" * 300_000 + b"\r\n\r\n",
        ]
        with Simulator("--users", 1, "--messages", 0) as simulator:
            archive = self.site(simulator)
            for content in contents:
                simulator.control("deliver", {
                    "user": simulator.users()[0]["id"],
                    "mime_base64": base64.b64encode(content).decode()})
            report = archive.sync()
            self.assertEqual(report["items"]["new"], len(contents))
            self.assert_archived(simulator, archive)
            archive.run("verify")

    def test_a_host_without_an_address(self):
        """37"""
        with Simulator("--users", 1, "--messages", 1) as simulator:
            nowhere = "https://login.nowhere.invalid"
            config = graph_config(simulator, authority_url=nowhere)
            done = Archive(self.folder / "nowhere", config).run("sync", expect=7)
            self.assertIn("login.nowhere.invalid", (done.stdout + done.stderr).decode())


if __name__ == "__main__":
    import unittest
    unittest.main(verbosity=2)
