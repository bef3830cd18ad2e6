import json
import os
import signal
import socket
import time
import unittest

import test_api

YEAR = 366 * 86400


class ApprovalTest(test_api.ApiTest):
    """Three mails, two of them older than the policy keeps them; everything needs two persons."""

    def setUp(self):
        super().setUp()
        for number in range(2):
            file = self.mail / f"old-{number}.eml"
            self.add_mail(f"old-{number}")
            os.utime(file, (time.time() - YEAR, time.time() - YEAR))
        self.sync()
        self.set_archive(retention=[{"id": "a-year", "keep": "1y"}],
                         second_person=["hold_release", "disposal", "forget"])

    def set_archive(self, **members):
        profile = json.loads(self.profile.read_text())
        profile["archive"].update(members)
        self.profile.write_text(json.dumps(profile))

    def named_credential(self, name, role):
        return self.run_ok("credential", "add", name, "--role", role, "--json").document["secret"]

    def post(self, path, secret, status, **body):
        response = self.call("POST", "/api/v1" + path, secret, body)
        self.assertEqual(response.status, status, response.bytes)
        self.check_shape("post", path, response)
        return response.document

    def approvals(self):
        return self.run_ok("approval", "list", "--json").document["approvals"]

    def hold(self):
        return self.run_ok("hold", "place", "--matter", "Doe v. Roe", "--reason", "court order",
                           "--json").document["id"]

    def holds(self, *arguments):
        return self.run_ok("hold", "list", *arguments, "--json").document["holds"]

    def subjects(self):
        self.run_ok("export", "--format", "eml", "--output", f"out-{time.monotonic_ns()}")
        newest = max(self.folder.glob("out-*"), key=lambda folder: folder.name)
        lines = (newest / "manifest.jsonl").read_text().splitlines()
        return {line["subject"]: line["ref"] for line in map(json.loads, lines)}

    def simulated_code(self):
        return self.run_ok("retention", "simulate", "--json").document["approval"]["code"]

    def trail(self, *arguments):
        entries = self.run_ok("audit", "list", "--limit", "1000", "--json",
                              *arguments).document["entries"]
        return [(e["action"], e["by"], e["object"]) for e in reversed(entries)]


class Approval(ApprovalTest):
    def test_of_the_release_of_a_hold_by_the_api(self):
        ada = self.named_credential("ada", "auditor")
        bob = self.named_credential("bob", "auditor")
        placed = self.hold()
        self.serve()
        asked = self.post(f"/holds/{placed}/release", ada, 202, reason="settled")["request"]
        self.assertEqual((asked["deed"], asked["asked_by"], asked["reason"],
                          asked["what"]["matter"]),
                         ("hold_release", "api:ada", "settled", "Doe v. Roe"))
        self.assertEqual(self.get("/approvals", bob).document["approvals"], [asked])
        with self.subTest("nothing is done yet, and it is not asked for twice"):
            self.assertEqual([h["id"] for h in self.holds()], [placed])
            again = self.post(f"/holds/{placed}/release", bob, 422, reason="me, too")
            self.assertIn(asked["id"], again["detail"])
        with self.subTest("not by who asked"):
            own = self.post(f"/approvals/{asked['id']}/approve", ada, 422)
            self.assertIn("another person", own["detail"])
        with self.subTest("not by who may not"):
            operator = self.named_credential("olga", "operator")
            self.post(f"/approvals/{asked['id']}/approve", operator, 403)
            self.post(f"/approvals/{asked['id']}/refuse", operator, 403, reason="r")
        with self.subTest("not another one"):
            self.post("/approvals/0123456789ab/approve", bob, 422)
        self.assertEqual([h["id"] for h in self.holds()], [placed])
        done = self.post(f"/approvals/{asked['id']}/approve", bob, 200)
        self.assertEqual((done["approved"]["id"], done["result"]["id"]), (asked["id"], placed))
        self.assertEqual((self.holds(), self.approvals()), ([], []))
        self.assertEqual(self.holds("--all")[0]["released_by"], "api:ada, approved by api:bob")
        self.post(f"/approvals/{asked['id']}/approve", bob, 422)
        trail = [entry for entry in self.trail() if entry[2] in (asked["id"], placed)]
        self.assertIn(("approval_request", "api:ada", asked["id"]), trail)
        self.assertIn(("hold_release", "api:ada", placed), trail)
        self.assertIn(("approval_approve", "api:bob", asked["id"]), trail)
        statuses = [e["detail"]["status"] for e in self.run_ok(
            "audit", "list", "--object", asked["id"], "--action", "approval_approve",
            "--json").document["entries"]]
        self.assertEqual(statuses, [422, 200, 422], "the one who asked tried, too")

    def test_is_refused_or_taken_back(self):
        ada = self.named_credential("ada", "auditor")
        bob = self.named_credential("bob", "administrator")
        placed = self.hold()
        self.serve()
        for secret in (bob, ada):
            asked = self.post(f"/holds/{placed}/release", ada, 202, reason="settled")["request"]
            self.post(f"/approvals/{asked['id']}/refuse", secret, 422, reason=" ")
            refused = self.post(f"/approvals/{asked['id']}/refuse", secret, 200, reason="is not")
            self.assertEqual(refused["refused"], asked)
            self.assertEqual(self.approvals(), [])
        self.assertEqual([h["id"] for h in self.holds()], [placed])

    def test_of_disposal(self):
        ada = self.named_credential("ada", "administrator")
        code = self.simulated_code()
        asked = self.run_ok("retention", "apply", "--approve", code, "--json").document["request"]
        self.assertEqual((asked["deed"], asked["what"]["code"]), ("disposal", code))
        with self.subTest("nothing goes before, not by the service either"):
            self.assert_error(self.run_program("retention", "apply", "--json"), 2,
                              "invalid_argument", "not been approved")
            service = self.serve()
            self.wait_for(lambda: "retention:" in self.log(service), "the daily disposal", service)
            self.post("/retention/apply", ada, 422)
            self.assertIn("asked for the same already",
                          self.post("/retention/apply", ada, 422, approve=code)["detail"])
            self.assertEqual(len(self.subjects()), 5)
        with self.subTest("it outlives the service"):
            self.stop(service)
            self.serve()
            self.assertEqual([a["id"] for a in self.approvals()], [asked["id"]])
        done = self.post(f"/approvals/{asked['id']}/approve", ada, 200)["result"]
        self.assertTrue(done["disposed"])
        self.assertEqual(done["policies"][0]["due"]["items"], 2)
        self.assertEqual(set(self.subjects()), {"mail-0", "mail-1", "mail-2"})
        listed = self.run_ok("retention", "list", "--json").document
        self.assertTrue(listed["disposals"][0]["by"].endswith(", approved by api:ada"))
        self.assertTrue(listed["approval"]["approved"])
        with self.subTest("what two approved goes on"):
            self.post("/retention/apply", ada, 200)

    def test_what_one_person_approved_is_not_what_two_have_to(self):
        self.set_archive(second_person=[])
        code = self.simulated_code()
        self.run_ok("retention", "apply", "--approve", code)
        self.set_archive(second_person=["disposal"])
        self.assertNotEqual(self.simulated_code(), code)
        self.assert_error(self.run_program("retention", "apply", "--json"), 2, "invalid_argument",
                          "have changed since")
        self.assert_error(self.run_program("retention", "apply", "--approve", code, "--json"), 2,
                          "invalid_argument", code)

    def test_of_what_has_changed_since_is_refused(self):
        ada = self.named_credential("ada", "administrator")
        asked = self.run_ok("retention", "apply", "--approve", self.simulated_code(),
                            "--json").document["request"]
        self.set_archive(retention=[{"id": "a-year", "keep": "1d"}])
        service = self.serve()
        self.assertIn("ask anew", self.post(f"/approvals/{asked['id']}/approve", ada, 422)["detail"])
        self.assertEqual((len(self.subjects()), self.approvals()), (5, []))

        with self.subTest("a hold that was released otherwise"):
            placed = self.hold()
            asked = self.run_ok("hold", "release", placed, "--reason", "r",
                                "--json").document["request"]
            self.set_archive(second_person=[])
            service.send_signal(signal.SIGHUP)
            self.wait_for(lambda: "profile reloaded" in self.log(service), "the reload", service)
            self.run_ok("hold", "release", placed, "--reason", "r")
            self.post(f"/approvals/{asked['id']}/approve", ada, 422)
            self.assertEqual(self.approvals(), [])

    def test_of_forgetting_an_item_that_has_a_new_version_since(self):
        ada = self.named_credential("ada", "administrator")
        ref = self.subjects()["mail-0"]
        self.serve()
        asked = self.run_ok("forget", ref, "--reason", "r", "--json").document["request"]
        self.assertEqual(asked["what"]["ref"], ref)
        self.add_mail("mail-0", text="other words")
        self.run_ok("sync")
        if len(self.run_ok("show", ref, "--json").document["versions"]) > 1:
            self.post(f"/approvals/{asked['id']}/approve", ada, 422)
            asked = self.run_ok("forget", ref, "--reason", "r", "--json").document["request"]
        hold = self.hold()
        self.assertIn("legal hold", self.post(f"/approvals/{asked['id']}/approve", ada,
                                              409)["detail"])
        self.assertEqual([a["id"] for a in self.approvals()], [asked["id"]])
        released = self.run_ok("hold", "release", hold, "--reason", "r", "--json").document
        self.post(f"/approvals/{released['request']['id']}/approve", ada, 200)
        done = self.post(f"/approvals/{asked['id']}/approve", ada, 200)["result"]
        self.assertTrue(done["forgotten"])
        self.assertEqual(self.run_program("show", ref).code, 2)

    def test_of_forgetting_an_account_outlives_a_rebuild(self):
        ada = self.named_credential("ada", "administrator")
        account = self.run_ok("accounts", "--json").document["accounts"][0]
        asked = self.run_ok("forget", account["address"], "--reason", "asked to",
                            "--json").document["request"]
        self.assertEqual((asked["what"]["account"], asked["what"]["address"]),
                         (account["id"], account["address"]))
        self.assertIn(asked["id"], self.run_ok("approval", "list").out)
        self.run_ok("rebuild")
        self.serve()
        done = self.post(f"/approvals/{asked['id']}/approve", ada, 200)["result"]
        self.assertEqual((done["forgotten"], done["items"]), (True, 5))
        shown = self.run_ok("accounts", "--json").document["accounts"][0]
        self.assertEqual(shown["status"], "forgotten")
        self.assertIn(", approved by api:ada", shown["reason"])

    def test_by_two_users_of_the_system_without_a_service(self):
        placed = self.hold()
        asked = self.run_ok("hold", "release", placed, "--reason", "r", "--json").document["request"]
        with self.subTest("root can't approve what root asked for"):
            self.assert_error(self.run_program("approval", "approve", asked["id"], "--json"), 2,
                              "invalid_argument", "another person")
        with self.subTest("nor by a credential of the same name"):
            credential = self.named_credential(asked["asked_by"].split("@")[0], "auditor")
            service = self.serve()
            self.post(f"/approvals/{asked['id']}/approve", credential, 422)
            self.stop(service)
        approved = self.as_nobody("approval", "approve", asked["id"])
        self.assertEqual(approved.code, 0, approved.err)
        self.assertIn("released the hold " + placed, approved.out)
        self.assertEqual(self.holds(), [])

        ref = self.subjects()["mail-1"]
        self.assertIn("Nothing is done yet", self.run_ok("forget", ref, "--reason", "r").out)
        request = self.approvals()[0]["id"]
        refused = self.as_nobody("approval", "refuse", request, "--reason", "no")
        self.assertEqual(refused.code, 0, refused.err)
        self.run_ok("show", ref)
        self.assertEqual(self.approvals(), [])

    def test_the_service_knows_who_asks_whatever_is_said(self):
        placed = self.hold()
        service = self.as_nobody("serve", start=True)
        self.services.append(service)
        control = self.folder / "catalog" / "control.sock"
        self.wait_for(control.exists, "the service starts")
        self.wait_for(lambda: self.run_program("status", "--json").document.get("service"),
                      "the service answers")
        asked = self.run_ok("hold", "release", placed, "--reason", "r", "--json").document["request"]

        def say(options):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(control))
                client.sendall(json.dumps({"verb": "approval", "options": options, "by": "eve@x",
                                           "person": {"by": "eve@x"}}).encode() + b"\n")
                return json.loads(client.makefile().readline())
        answer = say({"approve": asked["id"], "by": "eve@elsewhere"})
        self.assertIn("another person", answer["error"]["message"])
        for odd in ({}, {"approve": 7}, {"approve": ""}, {"approve": ["x"]}):
            self.assertNotEqual(say(odd)["exit_code"], 0)
        self.assertEqual([h["id"] for h in self.holds()], [placed])
        approved = self.as_nobody("approval", "approve", asked["id"])
        self.assertEqual(approved.code, 0, approved.err)
        self.assertEqual(self.holds(), [])

    def test_a_request_expires_and_is_what_it_was(self):
        ada = self.named_credential("ada", "auditor")
        placed = [self.hold(), self.hold()]
        file = self.folder / "catalog" / "approvals.json"
        for hold in placed:
            self.run_ok("hold", "release", hold, "--reason", "r")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        first, second = (a["id"] for a in self.approvals())
        requests = json.loads(file.read_text())
        week = requests[0]["expires_at"] - requests[0]["at"]
        self.assertEqual(week, 7 * 86400 * 1000)
        requests[0]["expires_at"] = requests[0]["at"]
        requests[1]["options"]["release"]["id"] = placed[0]
        file.write_text(json.dumps(requests))
        self.assertEqual([a["id"] for a in self.approvals()], [second])
        self.serve()
        self.post(f"/approvals/{first}/approve", ada, 422)
        self.assertIn("not what was asked for",
                      self.post(f"/approvals/{second}/approve", ada, 500)["detail"])
        self.post(f"/approvals/{second}/refuse", ada, 200, reason="altered")
        self.assertEqual({h["id"] for h in self.holds()}, set(placed))

    def test_what_would_be_refused_anyway_is_refused_at_once(self):
        for arguments in (("hold", "release", "ff", "--reason", "r"),
                          ("forget", "nobody", "--reason", "r"),
                          ("forget", "0123456789abcdef01234567", "--reason", "r"),
                          ("retention", "apply", "--approve", "abc"),
                          ("retention", "apply")):
            self.assertEqual(self.run_program(*arguments).code, 2, arguments)
        self.hold()
        ref = self.subjects()["mail-0"]
        self.assertNotEqual(self.run_program("forget", ref, "--reason", "r").code, 0)
        self.assertEqual(self.approvals(), [])

    def test_of_an_unknown_deed_is_no_profile(self):
        self.set_archive(second_person=["export"])
        self.assertEqual(self.run_program("profile", "check").code, 2)


class WithoutASecondPerson(test_api.ApiTest):
    def test_deeds_are_done_at_once(self):
        auditor = self.credential("auditor")
        self.serve()
        placed = self.call("POST", "/api/v1/holds", auditor,
                           {"matter": "m", "reason": "r", "since": "2020-01-01",
                            "until": "2021-01-01T00:00:00Z"}).document["id"]
        hold = self.get("/holds", auditor).document["holds"][0]
        self.assertEqual((hold["id"], hold["scope"]["since"], hold["scope"]["until"]),
                         (placed, "2020-01-01T00:00:00.000Z", "2021-01-01T00:00:00.000Z"))
        self.assertEqual(self.call("POST", "/api/v1/holds", auditor,
                                   {"matter": "m", "reason": "r", "since": "soon"}).status, 422)
        released = self.call("POST", f"/api/v1/holds/{placed}/release", auditor, {"reason": "r"})
        self.assertEqual((released.status, released.document), (200, {"id": placed}))
        self.assertEqual(self.get("/approvals", auditor).document["approvals"], [])
        self.assertEqual(self.get("/retention/simulation", auditor).document["policies"], [])


if __name__ == "__main__":
    unittest.main()
