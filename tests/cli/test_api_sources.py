import json
import signal
import unittest

from test_api import ApiTest

TENANT = {"tenant_id": "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
          "client_id": "c0ffee00-1111-4222-8333-444455556666",
          "client_secret": "not-to-be-found-anywhere",
          # Nobody listens there.
          "authority_url": "http://127.0.0.1:9", "graph_url": "http://127.0.0.1:9"}


class SourcesThroughTheApi(ApiTest):
    def setUp(self):
        super().setUp()
        self.other = self.folder / "mail" / "bob"
        self.add_mail("of-bob", folder=self.other)
        self.admin = self.credential("administrator")

    def mail_source(self, **changes):
        return {"name": "Bob's Mail", "provider": "mailfiles",
                "config": {"paths": [str(self.other)]}, "schedule": {"every": "1h"}, **changes}

    def ask(self, method, path, body=None, status=200, secret=None):
        response = self.call(method, "/api/v1" + path, secret or self.admin, body)
        self.assertEqual(response.status, status, response.bytes)
        self.check_shape(method.lower(), path, response)
        return response.document

    def wait_for_items(self, source, items):
        self.wait_for(lambda: self.get(f"/sources/{source}", self.admin).document["items"] == items,
                      f"{items} items", self.services[-1])

    def test_a_source_is_made_read_at_once_and_there_again_after_a_restart_and_a_rebuild(self):
        service = self.serve()
        made = self.ask("POST", "/sources", self.mail_source(), 201)
        self.assertEqual((made["id"], made["origin"], made["warnings"]), ("bob-s-mail", "api", []))
        self.wait_for_items("bob-s-mail", 1)
        shown = self.wait_for(lambda: (lambda s: s if s["status"] == "active" else None)(
            self.get("/sources/bob-s-mail", self.admin).document), "it is active", service)
        self.assertEqual((shown["origin"], shown["name"]), ("api", "Bob's Mail"))
        self.assertEqual(self.get("/sources/local", self.admin).document["origin"], "profile")
        self.assertNotIn("bob", self.profile.read_text())
        self.assertEqual(self.stop(service)[0], 0)

        service = self.serve()
        self.add_mail("late", folder=self.other)
        self.ask("POST", "/sources/bob-s-mail/sync", {}, 202)
        self.wait_for_items("bob-s-mail", 2)
        self.stop(service, signal.SIGKILL)
        service.wait()

        for file in (self.folder / "catalog").glob("catalog.db*"):
            file.unlink()
        self.run_ok("rebuild")
        listed = self.run_ok("source", "list", "--json").document["sources"]
        self.assertEqual([s["id"] for s in listed], ["local", "bob-s-mail"])
        self.add_mail("later", folder=self.other)
        synced = self.run_ok("sync", "--source", "bob-s-mail", "--json").document["sources"][0]
        self.assertEqual(synced["items"]["new"], 1)
        self.assertTrue(self.run_ok("source", "check", "bob-s-mail", "--json").document["passed"])

    def test_another_source_of_the_name_has_another_id(self):
        self.serve()
        ids = [self.ask("POST", "/sources", self.mail_source(), 201)["id"] for _ in range(2)]
        self.assertEqual(ids, ["bob-s-mail", "bob-s-mail-2"])
        self.ask("POST", "/sources", self.mail_source(id="bob-s-mail"), 409)
        self.assertEqual(self.ask("POST", "/sources", self.mail_source(name="漢字"), 201)["id"], "source")

    def test_a_source_is_changed(self):
        self.serve()
        self.ask("POST", "/sources", self.mail_source(id="bob"), 201)
        self.wait_for_items("bob", 1)
        third = self.folder / "mail" / "eve"
        self.add_mail("of-eve", folder=third)
        changed = self.ask("PUT", "/sources/bob", self.mail_source(
            name="Both", config={"paths": [str(self.other), str(third)]}, schedule={"every": "90s"}))
        self.assertEqual(changed["schedule"]["every"], "90s")
        self.wait_for_items("bob", 2)
        self.assertEqual(self.get("/sources/bob/definition", self.admin).document["name"], "Both")
        self.ask("PUT", "/sources/bob", self.mail_source(provider="imap", config={
            "host": "x", "user": "x", "password": "x"}), 409)
        self.ask("PUT", "/sources/none", self.mail_source(), 404)

    def test_what_is_wrong_is_told_by_place_and_nothing_is_kept(self):
        self.serve()
        for body, pointer in ((self.mail_source(provider="mailfile"), "/provider"),
                              (self.mail_source(config={}), "/config"),
                              (self.mail_source(config={"paths": "x"}), "/config/paths"),
                              (self.mail_source(config={"paths": ["x"], "more": 1}), "/config/more"),
                              (self.mail_source(schedule={"every": "often"}), "/schedule/every"),
                              (self.mail_source(id="Not An Id"), "/id"),
                              ({"provider": "microsoft365", "config":
                                {**TENANT, "client_secret": {"file": "/etc/passwd"}}},
                               "/config/client_secret"),
                              ({"provider": "microsoft365", "config":
                                {**TENANT, "client_secret": {"keep": True}}},
                               "/config/client_secret")):
            with self.subTest(pointer=pointer, body=body):
                for method, path in (("POST", "/sources"), ("POST", "/sources/check")):
                    answer = self.ask(method, path, body, 422)
                    self.assertIn(pointer, [p["pointer"] for p in answer["problems"]])
        self.assertEqual(len(self.get("/sources", self.admin).document["sources"]), 1)

    def test_secrets_are_sealed_never_shown_and_kept_by_a_change(self):
        service = self.serve()
        made = self.ask("POST", "/sources", {"id": "tenant", "name": "Tenant",
                                             "provider": "microsoft365", "config": TENANT}, 201)
        self.assertEqual(made["secrets"], ["/client_secret"])
        self.assertNotIn("client_secret", made["config"])
        kept = {**TENANT, "client_secret": {"keep": True}, "accounts_in_parallel": 7}
        self.ask("PUT", "/sources/tenant", {"name": "Renamed", "provider": "microsoft365",
                                            "config": kept})
        shown = self.get("/sources/tenant/definition", self.admin).document
        self.assertEqual((shown["secrets"], shown["config"]["accounts_in_parallel"]),
                         (["/client_secret"], 7))
        # The secret can be opened: it is the service that can't be reached.
        self.wait_for(lambda: self.get("/sources/tenant", self.admin).document["status"] == "error",
                      "the first run ends")
        self.assertNotIn("secret", self.get("/sources/tenant", self.admin).document["reason"])
        checked = self.ask("POST", "/sources/check", {"id": "tenant", "name": "x",
                                                      "provider": "microsoft365", "config": kept})
        self.assertFalse(checked["passed"])
        self.assertIn(self.run_program("source", "check", "tenant").code, (3, 7))
        self.stop(service)
        secret = TENANT["client_secret"].encode()
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret, path.read_bytes(), path)

    def test_an_archive_without_encryption_keeps_no_secrets(self):
        for name in ("archive", "catalog"):
            (self.folder / name).rename(self.folder / (name + ".old"))
        self.write_profile(self.mailfiles_source(), archive={"encryption": {"mode": "none"}})
        self.set_service({"listen": f"127.0.0.1:{self.port}"})
        self.sync()
        self.admin = self.credential("administrator")
        self.serve()
        self.ask("POST", "/sources", {"name": "T", "provider": "microsoft365", "config": TENANT}, 409)
        self.ask("POST", "/sources", self.mail_source(), 201)

    def test_the_profile_wins(self):
        service = self.serve()
        self.ask("POST", "/sources", self.mail_source(id="local"), 409)
        self.ask("PUT", "/sources/local", self.mail_source(), 409)
        self.ask("DELETE", "/sources/local?confirm=local", status=409)
        self.ask("POST", "/sources", self.mail_source(id="bob"), 201)
        self.wait_for_items("bob", 1)
        profile = json.loads(self.profile.read_text())
        profile["sources"].append({**self.mailfiles_source("bob", path=self.other), "name": "Of the file"})
        self.profile.write_text(json.dumps(profile))
        service.send_signal(signal.SIGHUP)
        self.wait_for(lambda: self.get("/sources/bob", self.admin).document["origin"] == "profile",
                      "the profile is reloaded", service)
        self.ask("PUT", "/sources/bob", self.mail_source(), 409)
        self.assertEqual(self.get("/sources/bob", self.admin).document["items"], 1)

    def test_a_setting_makes_the_profile_the_only_source(self):
        service = self.serve()
        self.ask("POST", "/sources", self.mail_source(id="bob"), 201)
        self.stop(service)
        self.set_service({"listen": f"127.0.0.1:{self.port}", "api_sources": False})
        self.serve()
        self.assertEqual([s["id"] for s in self.get("/sources", self.admin).document["sources"]], ["local"])
        self.ask("POST", "/sources", self.mail_source(id="eve"), 409)

    def test_pausing(self):
        operator = self.credential("operator")
        service = self.serve()
        self.assertTrue(self.ask("POST", "/sources/local/pause", {}, secret=operator)["paused"])
        shown = self.get("/sources/local", operator).document
        self.assertEqual((shown["status"], shown["paused_by"]), ("paused", "api:operator-0"))
        self.assertIn("operator-0", shown["reason"])
        self.add_mail("late")
        self.ask("POST", "/sources/local/sync", {}, 409, operator)
        self.stop(service)
        self.assertEqual(self.run_ok("sync", "--json").document["sources"], [])
        self.assertEqual(self.run_program("sync", "--source", "local").code, 2)
        self.serve()
        self.assertEqual(self.get("/sources/local", operator).document["status"], "paused")
        self.assertFalse(self.ask("POST", "/sources/local/resume", {}, secret=operator)["paused"])
        self.wait_for_items("local", 4)
        self.assertIsNone(self.get("/sources/local", operator).document["paused_by"])
        self.ask("POST", "/sources/none/pause", {}, 404, operator)

    def test_what_was_archived_of_a_removed_source_stays(self):
        self.serve()
        auditor = self.credential("auditor")
        self.ask("POST", "/sources", self.mail_source(id="bob"), 201)
        self.wait_for_items("bob", 1)
        for confirm in ("", "?confirm=local"):
            self.ask("DELETE", "/sources/bob" + confirm, status=422)
        self.ask("DELETE", "/sources/bob?confirm=bob")
        self.get("/sources/bob", self.admin, 404)
        self.assertEqual([i["subject"] for i in self.get("/items?source=bob", auditor).document["items"]],
                         ["of-bob"])
        # Its name does not make it come back by accident; its id does.
        self.assertEqual(self.ask("POST", "/sources", self.mail_source(name="bob"), 201)["id"], "bob-2")
        self.ask("POST", "/sources", self.mail_source(id="bob"), 201)
        self.wait_for_items("bob", 1)

    def test_who_may(self):
        operator, auditor = self.credential("operator"), self.credential("auditor")
        self.serve()
        for secret in (operator, auditor):
            self.ask("POST", "/sources", self.mail_source(), 403, secret)
            self.ask("POST", "/sources/check", self.mail_source(), 403, secret)
            self.ask("PUT", "/sources/local", self.mail_source(), 403, secret)
            self.ask("DELETE", "/sources/local?confirm=local", None, 403, secret)
            self.get("/sources/local/definition", secret, 403)
        self.ask("POST", "/sources/local/pause", {}, 403, auditor)
        self.assertTrue(self.ask("POST", "/sources/local/check", {}, secret=operator)["passed"])
        me = self.get("/me", operator).document
        self.assertEqual((me["name"], me["role"], me["rights"], me["setup"]),
                         ("operator-0", "operator", ["observe", "operate"], False))

    def test_the_providers_have_their_schemas(self):
        self.serve()
        providers = {p["id"]: p for p in self.get("/providers", self.admin).document["providers"]}
        self.assertLessEqual({"microsoft365", "imap", "mailfiles"}, set(providers))
        titles = {name: one["title"] for name, one in
                  providers["microsoft365"]["schema"]["properties"].items()}
        self.assertEqual((titles["client_id"], titles["tenant_id"], titles["client_secret"]),
                         ("Application (Client) ID", "Directory (Tenant) ID", "Client Secret Value"))


if __name__ == "__main__":
    unittest.main()
