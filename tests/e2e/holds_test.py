"""Legal holds over accounts and folders that change upstream."""

import unittest

from harness import ArchiverTest, Simulator


class Holds(ArchiverTest):
    def hold(self, site, *scope):
        return site.json("hold", "place", "--matter", "m", "--reason", "r", *scope)["id"]

    def items(self, site):
        return {h["id"]: h["items"] for h in site.json("hold", "list")["holds"]}

    def test_an_account_stays_under_its_hold_with_another_address(self):
        with Simulator("--users", 2, "--messages", 3) as simulator:
            site = self.archive(simulator)
            site.sync()
            user = simulator.users()[0]
            account = next(a for a in site.json("accounts")["accounts"] if a["id"] == user["id"])
            hold = self.hold(site, "--account", account["address"])
            before = self.items(site)[hold]
            self.assertGreater(before, 0)
            simulator.control("users", {"op": "rename", "user": user["id"],
                                        "upn": "somebody.else@contoso.example"})
            site.sync()
            after = next(a for a in site.json("accounts")["accounts"] if a["id"] == user["id"])
            self.assertNotEqual(after["address"], account["address"])
            self.assertEqual(self.items(site)[hold], before)
            refused = site.json("forget", user["id"], "--reason", "r", expect=4)
            self.assertIn(hold, refused["error"]["message"])

    def test_an_item_stays_under_its_hold_in_another_folder(self):
        with Simulator("--users", 1, "--messages", 0) as simulator:
            site = self.archive(simulator)
            user = simulator.users()[0]["id"]
            simulator.control("deliver", {"user": user, "folder": "inbox", "count": 2})
            site.sync()
            inbox = next(f["path"][0] for f in site.json("folders")["folders"] if f["items"])
            plain = self.hold(site, "--folder", inbox)
            word = max(self.fresh_export(site)[0]["subject"].split(), key=len)
            found = self.hold(site, "--folder", inbox, "--query", f'subject:"{word}"')
            self.assertEqual(self.items(site)[plain], 2)
            covered = self.items(site)[found]
            self.assertGreater(covered, 0)
            message = simulator.tenant()["users"][0]["messages"][0]["id"]
            simulator.control("move", {"user": user, "message": message, "folder": "archive"})
            site.sync()
            self.assertEqual(self.items(site), {plain: 2, found: covered})

    def test_a_folder_stays_under_its_hold_with_another_name(self):
        with Simulator("--users", 1, "--messages", 0) as simulator:
            site = self.archive(simulator)
            user = simulator.users()[0]["id"]
            folder = simulator.control("folders", {"op": "create", "user": user,
                                                   "name": "Projects"})["id"]
            inner = simulator.control("folders", {"op": "create", "user": user, "name": "Old",
                                                  "parent": folder})["id"]
            for where in (folder, inner):
                simulator.control("deliver", {"user": user, "folder": where, "count": 2})
            site.sync()
            hold = self.hold(site, "--folder", "Projects")
            self.assertEqual(self.items(site), {hold: 4})
            simulator.control("folders", {"op": "rename", "user": user, "folder": folder,
                                          "name": "Lunch"})
            site.sync()
            self.assertEqual(self.items(site), {hold: 4})
            simulator.control("folders", {"op": "move", "user": user, "folder": inner,
                                          "parent": "archive"})
            simulator.control("deliver", {"user": user, "folder": folder, "count": 1})
            site.sync()
            self.assertEqual(self.items(site), {hold: 5})

    def test_a_hold_on_nothing_is_refused(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            site = self.archive(simulator)
            site.sync()
            for scope, word in ((("--query", ""), "--query"), (("--sender", ""), "--sender"),
                                (("--folder", "Inbux"), "Inbux"), (("--account", "nobody"), "nobody")):
                with self.subTest(scope=scope):
                    refused = site.json("hold", "place", "--matter", "m", "--reason", "r", *scope,
                                        expect=2)
                    self.assertIn(word, refused["error"]["message"])
            self.assertEqual(self.items(site), {})


if __name__ == "__main__":
    unittest.main()
