"""Folders: which of them are archived, and what happens to them over time."""

import unittest

from harness import ArchiverTest, Simulator


class FoldersTest(ArchiverTest):
    def tenant(self, *options):
        simulator = self.enterContext(Simulator("--users", 1, "--messages", 40, *options))
        self.user = simulator.users()[0]["id"]
        return simulator

    def change(self, simulator, op, **arguments):
        return simulator.control("folders", {"op": op, "user": self.user, **arguments})["id"]

    def deliver(self, simulator, folder, **arguments):
        return simulator.control("deliver", {"user": self.user, "folder": folder, **arguments}
                                 )["messages"][0]["id"]

    def last(self, simulator):
        return max((e["sequence"] for e in simulator.requests()), default=0)

    def shown(self, archive):
        """Paths to what the program shows of the folders that are there."""
        return {"/".join(f["path"]): f for f in archive.json("folders")["folders"]
                if f["removed_at"] is None}

    def places(self, archive):
        return {e["item"]: ["/".join(p) for p in e["folders"]]
                for e in self.fresh_export(archive)}

    def test_renames_moves_and_deletions_are_followed_without_a_download(self):
        simulator = self.tenant()
        outer = self.change(simulator, "create", name="Projects", parent="inbox")
        inner = self.change(simulator, "create", name="2026", parent=outer)
        message = self.deliver(simulator, inner)
        archive = self.archive(simulator)
        archive.sync()
        self.assertEqual(self.places(archive)[message], ["Inbox/Projects/2026"])

        with self.subTest("a rename shows on everything below"):
            self.change(simulator, "rename", folder=outer, name="Projekte")
            before = self.last(simulator)
            report = archive.sync()
            self.assertEqual(report["items"]["moved"] + report["items"]["left"], 0)
            self.assertEqual(simulator.requests("value", since=before), [])
            self.assertEqual(self.places(archive)[message], ["Inbox/Projekte/2026"])

        with self.subTest("a move takes along what is below"):
            self.change(simulator, "move", folder=outer, parent="archive")
            before = self.last(simulator)
            archive.sync()
            self.assertEqual(simulator.requests("value", since=before), [])
            self.assertEqual(self.places(archive)[message], ["Archive/Projekte/2026"])

        with self.subTest("what a deleted folder held is kept, and shown as left"):
            self.change(simulator, "delete", folder=inner)
            report = archive.sync()
            self.assertEqual(report["items"]["left"], 1)
            self.assertEqual(self.places(archive)[message], ["Archive/Projekte/2026"])
            self.assertNotIn("Archive/Projekte/2026", self.shown(archive))
            self.assert_archived(simulator, archive)

        with self.subTest("a folder of the same name is another folder"):
            self.change(simulator, "create", name="2026", parent=outer)
            new = self.deliver(simulator, "Archive/Projekte/2026")
            archive.sync()
            places = self.places(archive)
            self.assertEqual(places[new], places[message])
            self.assert_archived(simulator, archive)
            entry = next(e for e in self.fresh_export(archive) if e["item"] == message)
            self.assertFalse(entry["in_mailbox"])

    def test_a_folder_in_the_trash_takes_its_mail_there(self):
        simulator = self.tenant()
        folder = self.change(simulator, "create", name="Old", parent="inbox")
        message = self.deliver(simulator, folder)
        archive = self.archive(simulator)
        archive.sync()
        self.change(simulator, "delete", folder=folder, to_trash=True)
        before = self.last(simulator)
        archive.sync()
        self.assertEqual(simulator.requests("value", since=before), [])
        self.assertEqual(self.places(archive)[message], ["Deleted Items/Old"])
        self.assert_archived(simulator, archive)

    def test_names_of_all_kinds(self):
        simulator = self.tenant()
        names = ["a/b", "../../up", "..", ".", "con", "x" * 250, "Büro 📁", "a\\b", "tab\there", " ",
                 "dup", "dup", "%2F"]
        expected = {}
        for name in names:
            folder = self.change(simulator, "create", name=name, parent="inbox")
            expected[self.deliver(simulator, folder)] = ["Inbox", name]
        archive = self.archive(simulator)
        archive.sync()
        entries = self.assert_archived(simulator, archive)
        for entry in entries:
            if entry["item"] in expected:
                self.assertEqual(entry["folders"], [expected[entry["item"]]])
        output = (archive.folder / f"export-{self.exports}").resolve()
        for entry in entries:
            self.assertTrue((output / entry["path"]).resolve().is_relative_to(output))

    def test_three_hundred_levels(self):
        simulator = self.tenant()
        parent = "inbox"
        for level in range(299):
            parent = self.change(simulator, "create", name=str(level), parent=parent)
        message = self.deliver(simulator, parent)
        archive = self.archive(simulator)
        archive.sync()
        self.assertEqual(self.places(archive)[message],
                         ["/".join(["Inbox", *map(str, range(299))])])
        self.assert_archived(simulator, archive)

    def test_hidden_folders_are_archived_and_search_folders_are_not(self):
        simulator = self.tenant()
        hidden = self.change(simulator, "create", name="Hidden", parent="inbox", hidden=True)
        below = self.change(simulator, "create", name="Below", parent=hidden)
        messages = {self.deliver(simulator, hidden), self.deliver(simulator, below)}
        archive = self.archive(simulator)
        archive.sync()
        self.assertLessEqual(messages, set(self.places(archive)))
        searches = [f for f in simulator.users()[0]["folders"] if f["search"]]
        self.assertTrue(searches)
        shown = {f["id"] for f in archive.json("folders")["folders"]}
        for search in searches:
            self.assertNotIn(search["id"], shown)
            self.assertEqual([e for e in simulator.requests() if "messages" in e["path"]
                              and search["id"] in e["path"]], [])
        self.assert_archived(simulator, archive)

    def test_roles_are_known_in_any_language(self):
        simulator = self.tenant()
        for role, name in (("drafts", "Entwürfe"), ("outbox", "Postausgang"),
                           ("inbox", "Posteingang"), ("sentitems", "Gesendete Elemente")):
            self.change(simulator, "rename", folder=role, name=name)
        # A name is no role.
        decoy = self.change(simulator, "create", name="Drafts", parent="msgfolderroot")
        message = self.deliver(simulator, decoy)
        archive = self.archive(simulator)
        archive.sync()
        self.assertIn(message, self.places(archive))
        shown = self.shown(archive)
        self.assertFalse(shown["Entwürfe"]["archived"])
        self.assertFalse(shown["Postausgang"]["archived"])
        self.assertTrue(shown["Posteingang"]["archived"])
        self.assertTrue(shown["Drafts"]["archived"])
        self.assert_archived(simulator, archive)

    def test_folders_are_chosen_by_path_and_by_role(self):
        simulator = self.tenant()
        for role, name in (("inbox", "Posteingang"), ("junkemail", "Junk-E-Mail")):
            self.change(simulator, "rename", folder=role, name=name)
        projects = self.change(simulator, "create", name="Projects", parent="inbox")
        secret = self.change(simulator, "create", name="Secret", parent=projects)
        wanted = self.deliver(simulator, projects)
        unwanted = self.deliver(simulator, secret)
        junk = self.deliver(simulator, "junkemail")
        dumped = self.deliver(simulator, "recoverableitemsdeletions")
        archive = self.archive(simulator, "chosen", folders={
            "include": ["inbox", "junkemail", "recoverableitemsdeletions"],
            "exclude": ["Posteingang/Projects/Secret"]})
        archive.sync()
        places = self.places(archive)
        self.assertIn(wanted, places)
        self.assertIn(junk, places)
        self.assertIn(dumped, places, "recoverable items are archived where they are named")
        self.assertNotIn(unwanted, places)
        self.assertEqual({p[0].split("/")[0] for p in places.values()} -
                         {"Posteingang", "Junk-E-Mail"},
                         {next(f["name"] for f in simulator.users()[0]["folders"]
                               if f["well_known"] == "recoverableitemsdeletions")})
        default = self.archive(simulator, "default")
        default.sync()
        self.assertNotIn(dumped, self.places(default))

    def test_a_folder_deleted_while_it_is_listed(self):
        simulator = self.tenant()
        folder = self.change(simulator, "create", name="Short-lived", parent="inbox")
        self.deliver(simulator, folder, count=30)
        simulator.control("settings", {"page_size_max": 10})
        simulator.control("faults", {
            "match": {"route": "delta", "path_contains": folder, "nth": 2},
            "action": {"status": 404, "code": "ErrorSyncFolderNotFound"}})
        archive = self.archive(simulator)
        report = archive.sync()
        self.assertEqual(report["items"]["failed"], 0)
        self.assertEqual(report["accounts"]["failed"], 0)
        simulator.control("faults", method="DELETE")
        self.change(simulator, "delete", folder=folder)
        archive.sync()
        self.assertNotIn("Inbox/Short-lived", self.shown(archive))
        self.assert_archived(simulator, archive)

    def test_a_full_mailbox_and_folders_that_change(self):
        simulator = self.tenant()
        archive = self.archive(simulator)
        archive.sync()
        simulator.control("faults", {"match": {"route": "folders_delta"},
                                     "action": {"status": 403, "code": "ErrorQuotaExceeded"}})
        folder = self.change(simulator, "create", name="Late", parent="inbox")
        message = self.deliver(simulator, folder)
        archive.sync()
        self.assertEqual(self.places(archive)[message], ["Inbox/Late"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
