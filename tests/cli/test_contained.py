"""Plugins that misbehave: their source shows it, and the engine and the other sources go on."""

import re
import time
import unittest

from workspace import WorkspaceTest


class Contained(WorkspaceTest):
    def live(self, source):
        return {one["id"]: one for one in
                self.run_ok("status", "--json").document["sources"]}[source]

    def start(self, *behaviour, every="1s"):
        """A service with the source that misbehaves, and one that does not."""
        self.behave("items 3", *behaviour)
        self.add_mail("one")
        self.write_profile(self.mailfiles_source(every="1s"), self.troubled_source(every=every))
        return self.serve()

    def expect_contained(self, service, words):
        self.wait_for(lambda: self.live("troubled")["status"] in ("attention", "error"),
                      "the source asks for a person", service, seconds=60)
        self.wait_for(lambda: words in self.log(service) or words in str(
            self.run_program("failures", "--json").document), f"it says {words}", service)
        # The other source goes on, with what came since.
        before = self.live("local")["items"]
        self.add_mail(f"later-{time.monotonic_ns()}")
        self.wait_for(lambda: self.live("local")["items"] > before, "others go on", service)
        self.assertEqual(self.live("local")["status"], "active")
        self.assertIsNone(service.poll())
        self.assertEqual(self.stop(service)[0], 0, self.log(service))

    def test_an_exception_is_the_sources_own(self):
        self.expect_contained(self.start("throw"), "this was not thought of")

    def test_what_is_larger_than_the_contract_allows_is_refused(self):
        self.expect_contained(self.start("flood"), "title of more than 1 KiB")

    def test_a_reader_that_returns_more_than_it_was_asked_for_is_not_believed(self):
        self.expect_contained(self.start("lie"), "more bytes than the buffer holds")

    def test_a_call_that_does_not_come_back_is_shown(self):
        service = self.start("hang")
        self.wait_for(lambda: self.live("troubled")["status"] == "attention",
                      "the source asks for a person", service, seconds=90)
        self.assertIn("no sign of life", self.live("troubled")["reason"])
        self.expect_contained(service, "")

    def test_news_without_end_do_not_keep_the_engine_busy(self):
        service = self.start("wake", every="1h")
        self.wait_for(lambda: self.live("troubled")["items"] == 3, "it is archived", service)
        runs = self.log(service).count("sync run done: source=troubled")
        self.behave("items 4", "wake")
        # Long before the hour is over, but not more often than every five seconds.
        started = time.monotonic()
        self.wait_for(lambda: self.live("troubled")["items"] == 4, "news are found", service)
        done = self.log(service).count("sync run done: source=troubled") - runs
        self.assertLessEqual(done, 2 + (time.monotonic() - started) / 5)

    def test_a_plugin_that_logs_without_end_is_cut_down(self):
        service = self.start("log", every="1h")
        self.wait_for(lambda: self.live("troubled")["items"] == 3, "it is archived", service)
        self.wait_for(lambda: self.live("local")["status"] == "active", "others go on", service)
        self.assertEqual(self.stop(service)[0], 0)
        log = self.log(service)
        lines = log.count("and another thing")
        self.assertLess(lines, 5000)
        left_out = sum(map(int, re.findall(r"(\d+) lines of this plugin were left out", log)))
        self.assertEqual(lines + left_out, 1_000_000, "each is there or counted")

    def test_a_plugin_that_counts_under_a_million_names_does_not_fill_the_memory(self):
        service = self.start("leak", every="1h")
        self.wait_for(lambda: self.live("troubled")["items"] == 3, "it is archived", service)
        with open(f"/proc/{service.pid}/status") as status:
            used = int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1])
        self.assertLess(used, 200 * 1024)
        self.assertLess(len(self.run_ok("status", "--json").out), 100_000)


if __name__ == "__main__":
    unittest.main()
