import json
import os
import unittest

from workspace import WorkspaceTest


class DisposalTest(WorkspaceTest):
    def setUp(self):
        super().setUp()
        self.other = self.folder / "mail" / "bob"
        self.other.mkdir(parents=True)
        source = self.mailfiles_source()
        source["config"]["paths"] = [str(self.mail), str(self.other)]
        self.write_profile(source)
        for number in range(3):
            self.add_mail(f"ada-{number}", text="sekrit ada")
        self.add_mail("bob-0", text="of bob", folder=self.other)

    def accounts(self):
        return {a["id"]: a for a in self.run_ok("accounts", "--json").document["accounts"]}

    def account_of(self, name):
        return next(a for a in self.accounts().values() if name in a["address"] or name in a["id"])

    def hold(self, *scope):
        return self.run_ok("hold", "place", "--matter", "Doe v. Roe", "--reason", "court order",
                           *scope, "--json").document["id"]

    def holds(self, *arguments):
        return self.run_ok("hold", "list", *arguments, "--json").document["holds"]

    def bytes_of_catalog(self):
        return b"".join(f.read_bytes() for f in (self.folder / "catalog").glob("catalog.db*"))


class Hold(DisposalTest):
    def test_is_placed_listed_and_released(self):
        self.sync()
        self.assertEqual(self.holds(), [])
        everything = self.hold()
        ada = self.account_of("ada")
        one = self.hold("--account", ada["address"], "--since", "2020-01-01")
        placed = {h["id"]: h for h in self.holds()}
        self.assertEqual(set(placed), {everything, one})
        self.assertEqual(placed[everything]["items"], 4)
        self.assertEqual(placed[one]["items"], 3)
        self.assertEqual(placed[one]["matter"], "Doe v. Roe")
        self.assertEqual(placed[one]["scope"]["accounts"], [ada["address"]])
        self.assertIn("@", placed[one]["placed_by"])
        self.assertIsNone(placed[one]["released_at"])
        text = self.run_ok("hold", "list").out
        self.assertIn("everything", text)
        self.assertIn("since 2020-01-01", text)

        self.add_mail("ada-3")
        self.sync()
        self.assertEqual({h["id"]: h["items"] for h in self.holds()}, {everything: 5, one: 4})

        self.run_ok("hold", "release", everything, "--reason", "settled")
        self.assertEqual([h["id"] for h in self.holds()], [one])
        released = next(h for h in self.holds("--all") if h["id"] == everything)
        self.assertEqual(released["release_reason"], "settled")
        self.assertIsNotNone(released["released_at"])

        before = self.holds("--all")
        self.run_ok("rebuild")
        self.assertEqual(self.holds("--all"), before)

    def test_is_handed_to_the_running_service(self):
        self.sync()
        self.serve()
        placed = self.hold()
        self.assertEqual([h["id"] for h in self.holds()], [placed])
        self.run_ok("hold", "release", placed, "--reason", "settled")
        self.assertEqual(self.holds(), [])

    def test_of_nothing_known_is_refused(self):
        self.sync()
        place = ("hold", "place", "--matter", "m", "--reason", "r", "--json")
        self.assert_error(self.run_program(*place, "--account", "nobody"), 2, "invalid_argument",
                          "nobody")
        self.assert_error(self.run_program(*place, "--source", "none"), 2, "invalid_argument",
                          "none")
        self.assert_error(self.run_program(*place, "--since", "2026-02-02", "--until",
                                           "2026-02-01"), 2, "invalid_argument", "--since")
        self.assert_error(self.run_program("hold", "place", "--matter", " ", "--reason", "r",
                                           "--json"), 2, "invalid_argument", "--matter")
        self.assert_error(self.run_program("hold", "release", "ff", "--reason", "r", "--json"), 2,
                          "invalid_argument", "hold list")
        placed = self.hold()
        self.run_ok("hold", "release", placed, "--reason", "r")
        self.assert_error(self.run_program("hold", "release", placed, "--reason", "r", "--json"),
                          2, "invalid_argument", "already")


class Forget(DisposalTest):
    def assert_forgotten(self, account, key_before):
        """Of the account nothing is left that can be read; all the rest is."""
        self.assertFalse(b"ada-1" in self.bytes_of_catalog())
        self.assertEqual(self.run_ok("verify", "--json").code, 0)
        self.run_ok("export", "--format", "eml", "--output", "export")
        lines = (self.folder / "export" / "manifest.jsonl").read_text().splitlines()
        self.assertEqual([json.loads(line)["subject"] for line in lines], ["bob-0"])
        self.assertNotEqual((self.folder / "archive.key").read_text(), key_before)
        shown = self.accounts()[account["id"]]
        self.assertEqual(shown["status"], "forgotten")
        self.assertIn("she asked", shown["reason"])

    def test_takes_an_account_away_for_good(self):
        self.sync()
        ada = self.account_of("ada")
        refs = self.run_ok("hold", "list", "--json")
        self.assertEqual(refs.document["holds"], [])
        plan = self.run_ok("forget", ada["id"], "--reason", "she asked", "--preview",
                           "--json").document
        self.assertEqual((plan["items"], plan["versions"], plan["forgotten"]), (3, 3, False))
        self.assertEqual(self.account_of("ada")["items"], 3)

        key = (self.folder / "archive.key").read_text()
        done = self.run_ok("forget", ada["address"], "--reason", "she asked", "--json").document
        self.assertTrue(done["forgotten"])
        self.assertEqual(done["items"], 3)
        self.assertTrue(os.path.exists(done["old_key"]))
        self.assert_forgotten(ada, key)

        with self.subTest("it is not archived again"):
            self.add_mail("ada-4")
            self.add_mail("bob-1", folder=self.other)
            for arguments in ((), ("--reconcile",)):
                self.run_ok("sync", *arguments)
            self.assertEqual(self.accounts()[ada["id"]]["status"], "forgotten")
            self.assertEqual(self.account_of("bob")["items"], 2)
            self.assertFalse(b"ada-4" in self.bytes_of_catalog())
        with self.subTest("nor brought back by a rebuild"):
            self.run_ok("rebuild")
            self.assertEqual(self.accounts()[ada["id"]]["status"], "forgotten")
            self.assertEqual(self.account_of("bob")["items"], 2)
            self.assertFalse(b"ada-1" in self.bytes_of_catalog())
            self.run_ok("verify")
        with self.subTest("nor forgotten twice"):
            self.assert_error(self.run_program("forget", ada["id"], "--reason", "x", "--json"), 2,
                              "invalid_argument", "already")

    def test_is_handed_to_the_running_service(self):
        self.sync()
        ada = self.account_of("ada")
        key = (self.folder / "archive.key").read_text()
        service = self.serve()
        done = self.run_ok("forget", ada["id"], "--reason", "she asked", "--json").document
        self.assertTrue(done["forgotten"])
        self.add_mail("bob-1", folder=self.other)
        self.run_ok("sync")
        self.assertEqual(self.account_of("bob")["items"], 2)
        (self.other / "bob-1.eml").unlink()
        self.stop(service)
        self.run_ok("sync")
        self.assertFalse(b"ada-1" in self.bytes_of_catalog())
        self.assertEqual(self.accounts()[ada["id"]]["status"], "forgotten")
        self.assertNotEqual((self.folder / "archive.key").read_text(), key)

    def test_a_key_that_is_still_there_goes_when_the_archive_is_opened_next(self):
        """A crash between the log and the keyring."""
        self.sync()
        ada = self.account_of("ada")
        old = {name: (self.folder / name).read_bytes() for name in ("archive/keyring",
                                                                    "archive.key")}
        self.run_ok("forget", ada["id"], "--reason", "she asked")
        for name, data in old.items():
            (self.folder / name).write_bytes(data)
        self.run_ok("sync")
        self.assertNotEqual((self.folder / "archive/keyring").read_bytes(), old["archive/keyring"])
        self.run_ok("rebuild")
        self.assertEqual(self.accounts()[ada["id"]]["status"], "forgotten")

    def test_never_past_a_hold(self):
        self.sync()
        ada = self.account_of("ada")
        hold = self.hold("--account", ada["id"], "--until", "2001-01-01")
        plan = self.run_ok("forget", ada["id"], "--reason", "she asked", "--preview").out
        self.assertIn(hold, plan)
        refused = self.run_program("forget", ada["id"], "--reason", "she asked", "--json")
        self.assert_error(refused, 4, "permission_denied", hold, "Doe v. Roe")
        self.assertEqual(self.account_of("ada")["items"], 3)
        self.run_ok("hold", "release", hold, "--reason", "settled")
        self.run_ok("forget", ada["id"], "--reason", "she asked")

    def test_says_what_can_not_be(self):
        self.sync()
        self.assert_error(self.run_program("forget", "nobody", "--reason", "x", "--json"), 2,
                          "invalid_argument", "nobody")
        self.assert_error(self.run_program("forget", self.account_of("ada")["id"], "--reason", "",
                                           "--json"), 2, "invalid_argument", "--reason")
        self.write_profile(self.mailfiles_source(), archive={
            "encryption": {"mode": "none"},
            "storage": {"backend": "filesystem", "config": {"root": "./plain"}},
            "catalog": {"path": "./plain-catalog"}})
        self.sync()
        self.assert_error(self.run_program("forget", self.account_of("ada")["id"], "--reason", "x",
                                           "--json"), 4, "unsupported", "not encrypted")

    def test_a_key_from_elsewhere_has_to_be_replaced_by_hand(self):
        key = self.run_ok("key", "new", "--output", "-").out.strip()
        env = {"ARCHIVE_KEY": key}
        self.write_profile(self.mailfiles_source(),
                           archive={"encryption": {"key": {"env": "ARCHIVE_KEY"}}})
        self.assertEqual(self.run_program("sync", environment=env).code, 0)
        result = self.run_program("forget", str(self.mail), "--reason", "x", environment=env)
        ids = json.loads(self.run_program("accounts", "--json", environment=env).out)["accounts"]
        result = self.run_program("forget", ids[0]["id"], "--reason", "x", environment=env)
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("key rotate", result.out)


if __name__ == "__main__":
    unittest.main()
