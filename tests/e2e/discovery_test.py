"""Which accounts there are: users who come, go, are renamed, refused, or chosen by groups."""

import json
import shutil
import unittest

from harness import ArchiverTest, Simulator

DIRECTORY = {"users", "user", "users_delta", "groups"}


class DiscoveryTest(ArchiverTest):
    def accounts(self, archive):
        return {a["id"]: a for a in archive.json("accounts")["accounts"]}

    def asked(self, simulator, since):
        """The requests since then, but for tokens."""
        return [e for e in simulator.requests(since=since) if e["route"] not in ("token", "control")]

    def now(self, simulator):
        return max((e["sequence"] for e in simulator.requests()), default=0)

    def assert_adds_up(self, report):
        counts = report["accounts"]
        self.assertEqual(sum(v for k, v in counts.items() if k != "discovered"),
                         counts["discovered"], counts)

    def change(self, simulator, user, **members):
        return simulator.control("users", {"user": user["id"], **members})

    def items_of(self, archive, user):
        return {e["item"] for e in self.fresh_export(archive) if e["account"] == user["id"]}

    # ------------------------------------------------------------------ following the directory

    def test_a_quiet_round_costs_one_request_for_the_directory(self):
        with Simulator("--users", 6, "--messages", 2, "--extras") as simulator:
            archive = self.archive(simulator)
            archive.sync()
            before = self.now(simulator)
            report = archive.sync()
            routes = [e["route"] for e in self.asked(simulator, before) if e["route"] in DIRECTORY]
            self.assertEqual(routes, ["users_delta"])
            self.assert_adds_up(report)

    def test_an_expired_change_token_costs_a_list_and_no_download(self):
        with Simulator("--users", 4, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            simulator.control("expire-delta", {})
            self.change(simulator, simulator.users()[1], op="remove")
            before = self.now(simulator)
            report = archive.sync()
            self.assertEqual(report["accounts"]["deleted_upstream"], 1)
            self.assertEqual(report["items"]["new"], 0)
            routes = [e["route"] for e in self.asked(simulator, before)]
            self.assertIn("users", routes)
            self.assertNotIn("value", routes)
            self.assertEqual(archive.sync()["accounts"]["up_to_date"], 3)

    def test_where_changes_of_users_can_not_be_followed_they_are_listed(self):
        with Simulator("--users", 3, "--messages", 2) as simulator:
            simulator.control("faults", {"match": {"route": "users_delta"},
                                         "action": {"status": 400, "code": "BadRequest"}})
            archive = self.archive(simulator)
            archive.sync()
            added = simulator.control("users", {"op": "add", "messages": 3})
            archive.sync()
            self.assertEqual(self.accounts(archive)[added["id"]]["status"], "up_to_date")
            self.assert_archived(simulator, archive)

    def test_a_directory_that_stumbles_is_asked_again(self):
        """Peers: discovery alone is not tried again, so one 503 costs the whole cycle."""
        with Simulator("--users", 3, "--messages", 2) as simulator:
            for route in ("users_delta", "users"):
                simulator.control("faults", {"match": {"route": route, "nth": 1}, "times": 1,
                                             "action": {"status": 503, "html": True}})
                simulator.control("faults", {"match": {"route": route, "nth": 2}, "times": 1,
                                             "action": {"status": 429,
                                                        "headers": {"Retry-After": "1"}}})
            archive = self.archive(simulator)
            self.assertEqual(archive.sync()["accounts"]["up_to_date"], 3)

    # ---------------------------------------------------------------------------- coming, going

    def test_deleted_users_keep_their_archive_and_restored_ones_come_back_to_it(self):
        with Simulator("--users", 3, "--messages", 8) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            leaver, goner = simulator.users()[1:3]
            held = self.items_of(archive, leaver)
            self.change(simulator, leaver, op="remove")
            self.change(simulator, goner, op="remove", for_good=True)
            report = archive.sync()
            self.assertEqual(report["accounts"]["deleted_upstream"], 2)
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assert_adds_up(report)
            accounts = self.accounts(archive)
            self.assertEqual(accounts[leaver["id"]]["status"], "deleted_upstream")
            self.assertIn("30 days", accounts[leaver["id"]]["reason"])
            self.assertEqual(accounts[leaver["id"]]["address"], leaver["mail"])
            self.assertEqual(accounts[goner["id"]]["status"], "deleted_upstream")
            self.assertEqual(self.items_of(archive, leaver), held)
            entries = archive.export("of-one", "--account", leaver["mail"])
            self.assertEqual({e["item"] for e in entries}, held)
            self.assertIn("deleted_upstream", archive.run("accounts").stdout.decode())

            with self.subTest("they are not asked any more"):
                before = self.now(simulator)
                archive.sync()
                self.assertFalse([e for e in self.asked(simulator, before)
                                  if leaver["id"] in e["path"]])

            with self.subTest("restored: the same account, nothing is fetched twice"):
                self.change(simulator, leaver, op="restore")
                simulator.control("deliver", {"user": leaver["id"], "folder": "inbox"})
                report = archive.sync()
                self.assertEqual(report["items"]["new"], 1)
                self.assertEqual(report["accounts"]["deleted_upstream"], 1)
                self.assertEqual(self.accounts(archive)[leaver["id"]]["status"], "up_to_date")
                self.assertLess(held, self.items_of(archive, leaver))

            with self.subTest("a new user with the address of a deleted one is another account"):
                heir = simulator.control("users", {"op": "add", "upn": goner["upn"],
                                                   "mail": goner["mail"], "messages": 2})
                self.assertNotEqual(heir["id"], goner["id"])
                archive.sync()
                accounts = self.accounts(archive)
                self.assertEqual(accounts[heir["id"]]["status"], "up_to_date")
                self.assertEqual(accounts[goner["id"]]["status"], "deleted_upstream")
                self.assertEqual(accounts[goner["id"]]["items"], len(self.items_of(archive, goner)))

    def test_absence_from_a_list_never_means_deletion(self):
        with Simulator("--users", 4, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            users = simulator.users()
            a_list = {"route": "users", "path_contains": "top=999"}

            def round_with(*rules, expect=0):
                simulator.control("expire-delta", {})
                for rule in rules:
                    simulator.control("faults", rule)
                report = archive.sync(expect=expect)
                simulator.control("faults", method="DELETE")
                self.assertEqual(report["accounts"]["deleted_upstream"], 0)
                self.assertEqual(report["items"]["new"], 0)
                return report

            with self.subTest("a list without anybody"):
                before = self.now(simulator)
                round_with({"match": a_list, "action": {"body": json.dumps({"value": []})}})
                by_id = [e for e in self.asked(simulator, before) if e["route"] == "user"]
                self.assertEqual(len(by_id), 4)
            with self.subTest("a list cut short by the service"):
                round_with({"match": a_list, "action": {"body": json.dumps(
                    {"value": [{"id": users[0]["id"], "mail": users[0]["mail"]}]})}})
            with self.subTest("a list that fails"):
                round_with({"match": a_list, "action": {"status": 400, "code": "BadRequest"}},
                           expect=1)
            with self.subTest("by id nothing can be found out: as it was, and listed anew next time"):
                round_with({"match": a_list, "action": {"body": json.dumps({"value": []})}},
                           {"match": {"route": "user"}, "action": {"status": 400, "code": "x"}})
                before = self.now(simulator)
                archive.sync()
                self.assertTrue([e for e in self.asked(simulator, before) if e["route"] == "users"])
            with self.subTest("gone is who is missing and unknown by id"):
                self.change(simulator, users[3], op="remove")
                report = archive.sync("--reconcile")
                self.assertEqual(report["accounts"]["deleted_upstream"], 1)

    # ------------------------------------------------------------------------------ by id

    def test_renamed_users_keep_their_archive(self):
        """Peers: the principal name as identity, so that a rename archives a mailbox again."""
        with Simulator("--users", 3, "--messages", 10) as simulator:
            simulator.control("settings", {"users_delta_partial": True})
            archive = self.archive(simulator)
            archive.sync()
            user = simulator.users()[1]
            held = self.items_of(archive, user)
            self.change(simulator, user, op="rename", upn="other.name@contoso.example",
                        name="Other Name")
            before = self.now(simulator)
            report = archive.sync()
            self.assertEqual(report["accounts"]["discovered"], 3)
            self.assertEqual(report["items"]["new"], 0)
            self.assertFalse([e for e in self.asked(simulator, before) if e["route"] == "value"])
            account = self.accounts(archive)[user["id"]]
            self.assertEqual(account["address"], "other.name@contoso.example")
            self.assertEqual(account["display_name"], "Other Name")
            self.assertEqual(account["status"], "up_to_date")
            self.assertEqual(self.items_of(archive, user), held)
            self.assertEqual({e["item"] for e in archive.export(
                "by-new-name", "--account", "other.name@contoso.example")}, held)

    def test_users_of_every_kind(self):
        """Peers: #EXT# not encoded in paths, guests that fail in every cycle, licences as a
        filter, userType null."""
        with Simulator("--users", 2, "--messages", 4, "--extras") as simulator:
            add = lambda **members: simulator.control("users", {"op": "add", **members})["id"]
            old = add(name="Old Timer", type="", messages=3)
            twin_a = add(name="Twin A", mail="twin@contoso.example", messages=3)
            twin_b = add(name="Twin B", mail="twin@contoso.example", messages=3)
            new = add(name="New Hire", mail="", messages=3)
            service = add(name="Service", mail="", licensed=False, mailbox="none")
            outsider = add(name="Member From Outside", mailbox="invalid",
                           upn="jo_fabrikam.example#EXT#@contoso.onmicrosoft.example")
            disabled = add(name="Disabled", enabled=False, messages=3)
            equipment = add(name="Beamer", enabled=False, licensed=False, purpose="equipment",
                            messages=1)
            archive = self.archive(simulator)
            report = archive.sync()
            self.assert_adds_up(report)
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assertEqual(report["status"], "active")
            accounts = self.accounts(archive)
            by_name = {a["display_name"]: a["status"] for a in accounts.values()}
            for id in (old, twin_a, twin_b, new, disabled, equipment):
                self.assertEqual(accounts[id]["status"], "up_to_date", accounts[id])
            self.assertEqual(by_name["Sales (shared)"], "up_to_date")
            self.assertEqual(by_name["Room 1.01"], "up_to_date")
            self.assertEqual(by_name["Carl Closed"], "closed_by_policy")
            for name in ("Bo", "Nora Nomail", "Service", "Member From Outside"):
                self.assertEqual(by_name[name], "without_mailbox")
            for account in accounts.values():
                self.assertTrue(account["reason"] or account["status"] == "up_to_date", account)
            self.assertEqual(accounts[twin_a]["address"], accounts[twin_b]["address"])
            self.assertEqual(archive.json("failures")["outstanding"], 0)
            self.assert_archived(simulator, archive)

            with self.subTest("no request names a user by anything but the id"):
                for entry in simulator.requests():
                    self.assertNotIn("EXT", entry["path"])
                    self.assertNotIn("contoso.example", entry["path"])
            with self.subTest("guests and directory users are never asked"):
                for entry in simulator.requests():
                    for id in (service, next(a["id"] for a in accounts.values()
                                             if a["display_name"] == "Bo")):
                        self.assertNotIn(id, entry["path"])
            self.assertIn(outsider, accounts)

    def test_a_user_without_an_id_is_left_out_and_stops_nobody(self):
        with Simulator("--users", 2, "--messages", 3) as simulator:
            users = simulator.users()
            page = {"value": [{"displayName": "nobody"}, {"id": None, "mail": "x@contoso.example"}] +
                    [{"id": u["id"], "mail": u["mail"], "userPrincipalName": None} for u in users]}
            simulator.control("faults", {"match": {"route": "users", "path_contains": "top=999"},
                                         "action": {"body": json.dumps(page)}})
            archive = self.archive(simulator)
            report = archive.sync()
            self.assertEqual(report["accounts"]["discovered"], 2)
            self.assert_archived(simulator, archive)

    # ---------------------------------------------------------- mailboxes that can't be read

    def test_accounts_without_a_mailbox_are_asked_daily_and_on_demand_only(self):
        with Simulator("--users", 2, "--messages", 4, "--extras") as simulator:
            archive = self.archive(simulator)
            archive.sync()
            quiet = [u for u in simulator.users() if u["mailbox"] in ("none", "policy")
                     and u["type"] != "Guest"]
            self.assertEqual(len(quiet), 2)

            def asked_for(user, *arguments):
                before = self.now(simulator)
                self.assert_adds_up(archive.sync(*arguments))
                return [e for e in self.asked(simulator, before) if user["id"] in e["path"]]

            for user in quiet:
                with self.subTest(user["upn"]):
                    self.assertEqual(asked_for(user), [])
                    for when in (("--account", user["id"]), ("--reconcile",)):
                        # The first requests to a mailbox go out together.
                        self.assertIn(len(asked_for(user, *when)), range(1, 9))
                    self.assertEqual(asked_for(user), [])

            with self.subTest("asked by name, it joins at once"):
                nobody = next(u for u in quiet if u["mailbox"] == "none")
                simulator.control("faults", {"match": {"route": "users_delta"},
                                             "action": {"body": json.dumps(
                    {"value": [], "@odata.deltaLink": simulator.url + "/v1.0/users/delta?x=1"})}})
                self.change(simulator, nobody, op="set", mailbox="enabled")
                simulator.control("deliver", {"user": nobody["id"], "folder": "inbox"})
                archive.sync()
                self.assertEqual(self.accounts(archive)[nobody["id"]]["status"], "without_mailbox")
                archive.sync("--account", nobody["id"])
                self.assertEqual(self.accounts(archive)[nobody["id"]]["status"], "up_to_date")
                simulator.control("faults", method="DELETE")
                archive.sync()

            with self.subTest("a change in the directory has it asked at once"):
                closed = next(u for u in quiet if u["mailbox"] == "policy")
                self.change(simulator, closed, op="set", mailbox="enabled", licensed=True)
                archive.sync()
                self.assertEqual(self.accounts(archive)[closed["id"]]["status"], "up_to_date")
                self.assert_archived(simulator, archive)

    def test_a_mailbox_that_goes_and_returns_keeps_its_archive(self):
        """Licence taken, mailbox deleted softly: Exchange answers by turns with several codes."""
        with Simulator("--users", 3, "--messages", 6) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            user = simulator.users()[1]
            held = self.items_of(archive, user)
            segments = None
            for status, code in ((404, "MailboxNotEnabledForRESTAPI"), (404, "ResourceNotFound"),
                                 (404, "ErrorInvalidUser"), (401, "AuthenticationError"),
                                 (404, "MailboxNotSupportedForRESTAPI"),
                                 (400, "extensionError")):
                simulator.control("faults", method="DELETE")
                simulator.control("faults", {"match": {"route": "folders", "user": user["id"]},
                                             "action": {"status": status, "code": code}})
                report = archive.sync("--account", user["id"])
                self.assertEqual(report["accounts"]["without_mailbox"], 1, code)
                self.assert_adds_up(report)
                log = sorted(p.name for p in (archive.folder / "archive").rglob("log/*/*"))
                if segments is not None:
                    self.assertEqual(log, segments, "another code of the same state is no event")
                segments = log
            self.assertEqual(self.items_of(archive, user), held)
            simulator.control("faults", method="DELETE")
            report = archive.sync("--account", user["id"])
            self.assertEqual(report["accounts"]["up_to_date"], 3)
            self.assertEqual(report["items"]["new"], 0)
            self.assertEqual(self.items_of(archive, user), held)

    def test_every_mailbox_refused_is_missing_permission(self):
        with Simulator("--users", 3, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            archive.sync()

            with self.subTest("the token says what is missing"):
                simulator.control("settings", {"roles": ["User.Read.All"]})
                report = archive.sync(expect=3)
                self.assertEqual(report["status"], "error")
                self.assertIn("Mail.Read", report["error"]["message"])
                self.assertEqual(report["accounts"]["closed_by_policy"], 0)
                archive.sync(expect=3)
            with self.subTest("the permission is there, and a policy closes everything"):
                simulator.control("settings", {"roles": ["Mail.Read", "User.Read.All"]})
                for user in simulator.users():
                    self.change(simulator, user, op="set", mailbox="policy")
                report = archive.sync(expect=3)
                self.assertEqual(report["accounts"]["closed_by_policy"], 0)
                self.assert_adds_up(report)
                archive.sync(expect=3)
            with self.subTest("once it is granted, the next run works"):
                for user in simulator.users():
                    self.change(simulator, user, op="set", mailbox="enabled")
                self.assertEqual(archive.sync()["status"], "active")
                self.assert_archived(simulator, archive)

    def test_some_mailboxes_refused_are_closed_to_the_application(self):
        """RBAC for Applications: the token lacks Mail.Read, and Exchange grants it for some. The
        first mailbox that is asked is outside."""
        with Simulator("--users", 3, "--messages", 3) as simulator:
            simulator.control("settings", {"roles": ["User.Read.All"], "exchange_grants": True})
            outside = simulator.users()[0]
            simulator.control("faults", {"match": {"route": "folders", "user": outside["id"]},
                                         "action": {"status": 403, "code": "ErrorAccessDenied"}})
            archive = self.archive(simulator, accounts_in_parallel=1)
            report = archive.sync()
            self.assertEqual(report["accounts"]["closed_by_policy"], 1)
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assertEqual(report["status"], "active")
            self.assertTrue(self.accounts(archive)[outside["id"]]["reason"])
            before = self.now(simulator)
            archive.sync()
            self.assertFalse([e for e in self.asked(simulator, before)
                              if outside["id"] in e["path"]])
            self.assertEqual(archive.sync("--account", outside["id"])["accounts"]["failed"], 0)

    # ------------------------------------------------------------------------------ selection

    def test_accounts_are_chosen_by_address_id_and_pattern(self):
        with Simulator("--users", 4, "--messages", 3) as simulator:
            users = simulator.users()
            archive = self.archive(simulator, accounts={
                "include": [users[0]["mail"].upper(), users[1]["id"], "*@contoso.example"],
                "exclude": [users[2]["upn"], users[3]["id"][:9] + "*"]})
            report = archive.sync()
            self.assertEqual(report["accounts"]["excluded"], 2)
            self.assertEqual(report["accounts"]["up_to_date"], 2)
            held = self.items_of(archive, users[0])
            archive.profile["sources"][0]["config"]["accounts"] = {"include": [users[3]["mail"]]}
            archive.write_profile()
            report = archive.sync()
            self.assertEqual(report["accounts"]["excluded"], 3)
            self.assertEqual(self.accounts(archive)[users[3]["id"]]["status"], "up_to_date")
            self.assertEqual(self.items_of(archive, users[0]), held)

    def test_members_of_groups_come_in_and_out(self):
        with Simulator("--users", 5, "--messages", 3) as simulator:
            users = simulator.users()
            outer, inner = [g["id"] for g in simulator.tenant(sha256=False)["groups"]]
            # The outer group holds users 0, 2 and 4, and the inner one with 0, 1 and 3.
            simulator.control("groups", {"op": "set", "group": outer, "users": [users[4]["id"]]})
            simulator.control("groups", {"op": "set", "group": inner, "users":
                                         [users[0]["id"], users[1]["id"]]})
            left_out = simulator.control("groups", {"op": "create", "name": "Out",
                                                    "users": [users[1]["id"]]})["id"]
            archive = self.archive(simulator, accounts={
                "groups": {"include": [outer], "exclude": [left_out]}})
            status = lambda: [self.accounts(archive)[u["id"]]["status"] for u in users]
            archive.sync()
            self.assertEqual(status(), ["up_to_date", "excluded", "excluded", "excluded",
                                        "up_to_date"])
            before = self.now(simulator)
            archive.sync()
            routes = sorted(e["route"] for e in self.asked(simulator, before)
                            if e["route"] in DIRECTORY)
            self.assertEqual(routes, ["groups", "groups", "users_delta"])

            with self.subTest("a change of members, in a nested group too"):
                held = self.items_of(archive, users[0])
                simulator.control("groups", {"op": "set", "group": inner, "users":
                                             [users[1]["id"], users[3]["id"]]})
                simulator.control("groups", {"op": "set", "group": left_out, "users": []})
                report = archive.sync()
                self.assertEqual(status(), ["excluded", "up_to_date", "excluded", "up_to_date",
                                            "up_to_date"])
                self.assert_adds_up(report)
                self.assertEqual(self.items_of(archive, users[0]), held)

    def test_a_group_that_can_not_be_read_keeps_its_members_and_alarms(self):
        with Simulator("--users", 4, "--messages", 3) as simulator:
            users = simulator.users()
            group = simulator.control("groups", {"op": "create", "name": "Archived", "users":
                                                 [users[0]["id"], users[1]["id"]]})["id"]
            archive = self.archive(simulator, accounts={"groups": {"include": [group]}})
            status = lambda: [self.accounts(archive)[u["id"]]["status"] for u in users]
            archive.sync()
            as_it_was = ["up_to_date", "up_to_date", "excluded", "excluded"]
            self.assertEqual(status(), as_it_was)

            def assert_alarm(*words):
                simulator.control("deliver", {"user": users[1]["id"], "folder": "inbox"})
                done = archive.run("--json", "sync", expect=1)
                report = json.loads(done.stdout)["sources"][0]
                self.assertEqual(report["status"], "attention")
                self.assertEqual(report["items"]["new"], 1, "the source works on")
                self.assertEqual(status(), as_it_was)
                self.assert_adds_up(report)
                source = archive.json("status", expect=None)["sources"][0]
                self.assertEqual(source["status"], "attention")
                failures = archive.json("failures", expect=None)["failures"]
                self.assertEqual([f["kind"] for f in failures], ["source"])
                for word in (group, *words):
                    self.assertIn(word, source["reason"])
                    self.assertIn(word, failures[0]["message"])
                    self.assertIn(word, done.stderr.decode())
                    self.assertIn(word, str(report["problems"]))

            with self.subTest("refused: the permission is named"):
                simulator.control("settings", {"roles": ["Mail.Read", "User.Read.All"]})
                assert_alarm("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6")
                checks = {c["name"]: c for c in archive.json(
                    "source", "check", "contoso", expect=3)["checks"]}
                self.assertEqual(checks["groups readable"]["outcome"], "fail")
                self.assertIn("GroupMember.Read.All", checks["groups readable"]["remedy"])
                simulator.control("settings", {"roles": ["Mail.Read", "User.Read.All",
                                                         "GroupMember.Read.All"]})
                self.assertEqual(archive.sync()["status"], "active")
                self.assertEqual(archive.json("failures")["outstanding"], 0)
            with self.subTest("deleted; also when everybody is listed anew"):
                simulator.control("groups", {"op": "delete", "group": group})
                assert_alarm("no such group")
                archive.sync("--reconcile", expect=1)
                self.assertEqual(status(), as_it_was)
            with self.subTest("what was known survives a rebuild of the catalog"):
                shutil.rmtree(archive.folder / "catalog")
                archive.run("rebuild")
                archive.sync(expect=1)
                self.assertEqual(status(), as_it_was)
            with self.subTest("a new user waits, a user who is gone is gone"):
                added = simulator.control("users", {"op": "add", "messages": 1})
                self.change(simulator, users[0], op="remove")
                archive.sync(expect=1)
                accounts = self.accounts(archive)
                self.assertEqual(accounts[added["id"]]["status"], "excluded")
                self.assertIn("could not be read", accounts[added["id"]]["reason"])
                self.assertEqual(accounts[users[0]["id"]]["status"], "deleted_upstream")


if __name__ == "__main__":
    unittest.main(verbosity=2)
