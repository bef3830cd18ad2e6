import concurrent.futures
import contextlib
import json
import signal
import sqlite3
import unittest

from test_api import ApiTest


class AuditTrail(ApiTest):
    def setUp(self):
        super().setUp()
        self.auditor = self.credential("auditor")

    def entries(self, secret=None, query=""):
        return self.get("/audit?limit=1000" + query, secret or self.auditor).document["entries"]

    def listed(self, *options):
        return self.run_ok("audit", "list", "--json", "--limit", "1000", *options).document["entries"]

    def test_what_is_read_through_the_api_is_written_down_for_every_role(self):
        account = self.run_ok("accounts", "--json").document["accounts"][0]["id"]
        holder = self.credential("account_holder", account)
        self.serve()
        ref = self.get("/items", holder).document["items"][0]["ref"]
        self.get(f"/items/{ref}", holder)
        self.call("GET", f"/api/v1/items/{ref}/raw", holder)
        self.get("/search?q=subject:mail-1", holder)
        self.get(f"/items/{ref}/proof", holder)
        self.get("/search?q=%22unclosed", self.auditor, 422)
        entries = self.entries()
        seen = [(e["by"], e["role"], e["action"], e["object"]) for e in reversed(entries)
                if e["by"].startswith("api:")]
        self.assertEqual(seen, [
            ("api:account_holder-1", "account_holder", "list", ""),
            ("api:account_holder-1", "account_holder", "read", ref),
            ("api:account_holder-1", "account_holder", "download", ref),
            ("api:account_holder-1", "account_holder", "search", ""),
            ("api:account_holder-1", "account_holder", "prove", ref),
            ("api:auditor-0", "auditor", "search", "")])
        search = next(e for e in entries if e["action"] == "search" and "1" in e["detail"]["q"])
        self.assertEqual(search["detail"], {"q": "subject:mail-1", "status": 200})
        self.assertEqual(entries[0]["detail"]["status"], 422)
        self.assertEqual(self.entries()[0]["action"], "audit_read")

    def test_what_is_changed_through_the_api_is_written_down_without_secrets(self):
        admin = self.credential("administrator")
        self.serve()
        made = self.call("POST", "/api/v1/sources", admin, {
            "id": "bob", "name": "Bob", "provider": "imap",
            "config": {"host": "127.0.0.1", "port": 9, "user": "x", "password": "sekrit-of-bob"}})
        self.assertEqual(made.status, 201, made.bytes)
        for method, path, body in (("POST", "/sources/bob/pause", {}), ("POST", "/sources/bob/resume", {}),
                                   ("DELETE", "/sources/bob?confirm=bob", None),
                                   ("POST", "/sources/local/sync", {}),
                                   ("POST", "/failures/retry", {}),
                                   ("POST", "/credentials", {"name": "new", "role": "operator"}),
                                   ("DELETE", "/credentials/new", None)):
            answer = self.call(method, "/api/v1" + path, admin, body)
            self.assertIn(answer.status, (200, 201, 202), answer.bytes)
        hold = self.call("POST", "/api/v1/holds", self.auditor, {"matter": "m", "reason": "r"}).document["id"]
        self.call("POST", f"/api/v1/holds/{hold}/release", self.auditor, {"reason": "done"})
        entries = self.entries()
        self.assertEqual([(e["action"], e["object"]) for e in reversed(entries)
                          if e["by"].startswith("api:")], [
            ("source_create", "bob"), ("source_pause", "bob"), ("source_resume", "bob"),
            ("source_remove", "bob"), ("sync", "local"), ("retry_failures", ""),
            ("credential_add", "new"), ("credential_remove", "new"),
            ("hold_place", hold), ("hold_release", hold)])
        self.assertEqual(next(e for e in entries if e["action"] == "hold_release")["detail"],
                         {"reason": "done", "status": 200})
        self.assertNotIn("sekrit-of-bob", json.dumps(entries))

    def test_the_command_line_is_written_down_with_its_user(self):
        ref = self.run_ok("search", "subject:mail-1", "--json").out.split('"ref":"')[1][:24]
        self.run_ok("show", ref)
        self.run_ok("show", ref, "--raw")
        self.run_ok("export", "--format", "eml", "--output", str(self.folder / "out"))
        self.run_ok("prove", ref, "--output", str(self.folder / "proof.json"))
        hold = self.run_ok("hold", "place", "--matter", "m", "--reason", "r", "--json").document["id"]
        self.run_ok("hold", "release", hold, "--reason", "done")
        self.run_ok("forget", ref, "--reason", "x", "--preview")  # shows no mail
        self.run_ok("status")
        entries = self.listed()
        self.assertEqual([(e["action"], e["object"]) for e in reversed(entries)], [
            ("credential_add", "auditor-0"), ("search", ""), ("read", ref), ("download", ref),
            ("export", ""), ("prove", ref), ("hold_place", ""), ("hold_release", hold),
            ("audit_read", "")])
        self.assertEqual({(e["role"], e["by"].count("@")) for e in entries}, {("", 1)})
        self.assertEqual(next(e for e in entries if e["action"] == "read")["detail"]["arguments"],
                         ["--profile", str(self.profile), "show", ref])
        self.assertEqual([e["action"] for e in self.listed("--action", "search")], ["search"])
        self.assertEqual([e["action"] for e in self.listed("--object", ref)],
                         ["prove", "download", "read"])
        self.assertEqual(self.listed("--until", "2020-01-01"), [])
        lines = [json.loads(line) for line in self.run_ok("audit", "export").out.splitlines()]
        self.assertEqual(lines[:len(entries)], list(reversed(entries)))
        self.assertIn(f"download        {ref}", self.run_ok("audit", "list").out)

    def test_it_is_in_the_log_and_survives_a_lost_catalog(self):
        service = self.serve()
        self.get("/search?q=sekrit", self.auditor)
        self.run_ok("search", "by-the-program")
        journal = self.folder / "catalog" / "audit.journal"
        self.wait_for(lambda: journal.stat().st_size == 0, "the log has it", service)
        before = self.listed()
        self.stop(service, signal.SIGKILL)
        service.wait()
        for file in (self.folder / "catalog").glob("catalog.db*"):
            file.unlink()
        self.run_ok("rebuild")
        after = self.listed()
        self.assertEqual(after[-len(before):], before)
        self.assertEqual(len({e["id"] for e in after}), len(after))

    def test_an_entry_that_somebody_took_out_of_the_catalog_is_missed(self):
        self.run_ok("search", "who-looked")
        self.sync()  # takes it into the log
        self.run_ok("verify")
        with contextlib.closing(sqlite3.connect(self.folder / "catalog" / "catalog.db")) as catalog:
            catalog.execute("DELETE FROM audit WHERE detail LIKE '%who-looked%'")
            catalog.commit()
        found = self.run_program("verify", "--json")
        self.assertEqual(found.code, 5, found.err)
        self.assertIn("audit entries", found.out)

    def test_who_can_not_be_written_down_is_shown_nothing(self):
        self.serve()
        ref = self.get("/items", self.auditor).document["items"][0]["ref"]
        journal = self.folder / "catalog" / "audit.journal"
        self.wait_for(lambda: not journal.exists() or journal.stat().st_size == 0, "the log has it")
        journal.unlink(missing_ok=True)
        journal.mkdir()  # root may write anywhere, but not into a folder
        for arguments in (("search", "sekrit"), ("show", ref), ("show", ref, "--raw"),
                          ("export", "--format", "eml", "--output", str(self.folder / "out")),
                          ("prove", ref), ("audit", "list")):
            with self.subTest(arguments=arguments):
                refused = self.run_program(*arguments)
                self.assertNotEqual(refused.code, 0)
                self.assertEqual(refused.out, "")
                self.assertIn("audit trail", refused.err)
        self.assertFalse((self.folder / "out").exists())
        for path in ("/items", f"/items/{ref}", f"/items/{ref}/raw", "/search?q=sekrit"):
            answer = self.call("GET", "/api/v1" + path, self.auditor)
            self.assertGreaterEqual(answer.status, 400, path)
            self.assertIn("audit trail", answer.document["detail"])
            self.assertNotIn(b"mail-", answer.bytes)
        self.get("/status", self.auditor)

    def test_nothing_is_lost_while_many_read_at_once(self):
        self.serve()

        def search(number):
            if number % 10 == 0:
                return self.run_program("search", f"word{number}").code
            return self.call("GET", f"/api/v1/search?q=word{number}", self.auditor).status

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(search, range(100))), {0, 200})
        text = json.dumps(self.entries())
        for number in range(100):
            self.assertIn(f'word{number}"', text)
        entries = self.entries(query="&action=search")
        self.assertEqual(len(entries), 100)
        self.assertEqual(len({e["id"] for e in entries}), 100)

    def test_pages_and_who_may_read_it(self):
        operator, admin = self.credential("operator"), self.credential("administrator")
        service = self.serve()
        for number in range(7):
            self.get(f"/search?q=w{number}", self.auditor)
        journal = self.folder / "catalog" / "audit.journal"
        self.wait_for(lambda: journal.stat().st_size == 0, "the log has it", service)
        found, after = [], ""
        while after is not None:
            page = self.get(f"/audit?action=search&limit=3{after and '&after=' + after}", admin).document
            found += [e["detail"]["q"] for e in page["entries"]]
            after = page["next"]
        self.assertEqual(found, [f"w{number}" for number in range(6, -1, -1)])
        self.get("/audit", operator, 403)
        for wrong in ("limit=0", "limit=x", "after=x", "since=yesterday"):
            self.get("/audit?" + wrong, admin, 422)

    def test_a_line_cut_off_by_a_crash_does_not_harm_the_others(self):
        journal = self.folder / "catalog" / "audit.journal"
        self.run_ok("search", "one")
        with journal.open("a") as file:
            file.write('{"e":"audited","id":"00","by":"no')
        self.run_ok("search", "two")
        self.serve()
        self.wait_for(lambda: journal.stat().st_size == 0, "the log has it")
        self.assertEqual([e["detail"]["arguments"][-1] for e in reversed(self.listed("--action", "search"))],
                         ["one", "two"])


if __name__ == "__main__":
    unittest.main()
