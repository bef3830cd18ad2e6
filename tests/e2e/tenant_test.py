"""A tenant from the first sync to what happens to it later."""

import hashlib
import os
import pathlib
import shutil
import unittest

from harness import CORPUS, Archive, ArchiverTest, Simulator


def user_named(simulator, part):
    return next(u for u in simulator.users() if part in u["upn"])


def folder_of(user, well_known):
    return next(f for f in user["folders"] if f.get("well_known") == well_known)


class TenantTest(ArchiverTest):
    def test_a_tenant_is_imported_whole_and_then_followed(self):
        with Simulator("--users", 4, "--messages", 60, "--extras") as simulator:
            archive = self.archive(simulator)
            first = archive.sync()
            self.assertEqual(first["status"], "active")
            accounts = first["accounts"]
            self.assertEqual(sum(v for k, v in accounts.items() if k != "discovered"),
                             accounts["discovered"])
            self.assertGreaterEqual(accounts["without_mailbox"], 1)
            self.assertEqual(accounts["closed_by_policy"], 1)
            self.assertEqual(accounts["failed"], 0)
            self.assertEqual(first["items"]["new"], len(self.expected_messages(simulator)))
            self.assert_archived(simulator, archive)

            with self.subTest("a sync with nothing new downloads nothing and asks little"):
                simulator.control("reset-metrics", {})
                before = max((e["sequence"] for e in simulator.requests()), default=0)
                idle = archive.sync()
                self.assertEqual(idle["items"]["new"], 0)
                requests = simulator.requests(since=before)
                self.assertEqual([e for e in requests if e["route"] == "value"], [])
                users = [u for u in simulator.users()]
                folders = sum(len(u["folders"]) for u in users)
                graph = [e for e in requests if e["route"] not in ("token", "control")]
                self.assertLessEqual(len(graph), folders + len(users) + 1)

            with self.subTest("new mail, moves and removals"):
                user = simulator.users()[0]
                inbox = folder_of(user, "inbox")["id"]
                sent = folder_of(user, "sentitems")["id"]
                messages = [m for m in user["messages"] if m["folder"] == inbox]
                simulator.control("deliver", {"user": user["id"], "folder": "inbox", "count": 3})
                simulator.control("move", {"user": user["id"], "message": messages[0]["id"],
                                           "folder": sent})
                simulator.control("delete", {"user": user["id"], "message": messages[1]["id"]})
                simulator.control("touch", {"user": user["id"], "message": messages[2]["id"]})
                simulator.control("reset-metrics", {})
                before = max(e["sequence"] for e in simulator.requests())
                delta = archive.sync()
                self.assertEqual(delta["items"]["new"], 3)
                self.assertEqual(delta["items"]["changed"], 0)
                self.assertEqual(delta["items"]["moved"], 1)
                self.assertEqual(delta["items"]["left"], 1)
                self.assertEqual(len(simulator.requests("value", since=before)), 3)
                entries = self.assert_archived(simulator, archive)
                gone = [e for e in entries if e["item"] == messages[1]["id"]]
                self.assertEqual(len(gone), 1, "what was deleted upstream stays")
                self.assertFalse(gone[0]["in_mailbox"])
                self.assertIsNotNone(gone[0]["left_at"])
                moved = [e for e in entries if e["item"] == messages[0]["id"]]
                self.assertEqual(moved[0]["folders"], [["Sent Items"]])

            with self.subTest("expired cursors cost a listing, no download"):
                simulator.control("expire-delta", {})
                user = simulator.users()[1]
                inbox = folder_of(user, "inbox")["id"]
                victim = next(m for m in user["messages"] if m["folder"] == inbox)
                simulator.control("delete", {"user": user["id"], "message": victim["id"]})
                before = max(e["sequence"] for e in simulator.requests())
                again = archive.sync()
                self.assertEqual(again["items"]["new"], 0)
                self.assertEqual(simulator.requests("value", since=before), [])
                self.assert_archived(simulator, archive)

            with self.subTest("users come and go; their archive stays"):
                leaver = simulator.users()[2]
                simulator.control("users", {"op": "remove", "user": leaver["id"]})
                simulator.control("users", {"op": "add", "upn": "new.person@contoso.example",
                                            "messages": 5})
                report = archive.sync()
                self.assertEqual(report["accounts"]["deleted_upstream"], 1)
                entries = self.assert_archived(simulator, archive)
                self.assertGreater(report["items"]["new"], 0)
                self.assertTrue(any(e["account"] == leaver["id"] for e in entries))

            with self.subTest("the catalog is made anew from the archive; nothing is fetched again"):
                before_rebuild = self.fresh_export(archive)
                shutil.rmtree(archive.folder / "catalog")
                refused = archive.run("sync", expect=4)
                self.assertIn(b"rebuild", refused.stderr + refused.stdout)
                archive.run("rebuild")
                archive.run("verify")
                self.assertEqual(before_rebuild, self.fresh_export(archive))
                before = max(e["sequence"] for e in simulator.requests())
                report = archive.sync()
                self.assertEqual(report["items"]["new"], 0)
                self.assertEqual(simulator.requests("value", since=before), [])

    def test_a_draft_that_is_sent_gets_a_second_version(self):
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator, folders={"include": ["drafts", "sentitems"]})
            user = simulator.users()[0]
            draft = simulator.control("deliver", {"user": user["id"], "folder": "drafts",
                                                  "count": 1, "draft": True})["messages"][0]
            archive.sync()
            simulator.control("send-draft", {"user": user["id"], "message": draft["id"]})
            report = archive.sync()
            self.assertEqual(report["items"]["changed"], 1)
            versions = [e for e in self.fresh_export(archive) if e["item"] == draft["id"]]
            self.assertEqual([v["version"] for v in versions], [1, 2])
            self.assertNotEqual(versions[0]["sha256"], versions[1]["sha256"])

    @unittest.skipUnless(CORPUS and os.path.isdir(CORPUS),
                         "needs a folder of real mail in OPENARCHIVER_TEST_CORPUS")
    def test_real_mail_comes_back_byte_by_byte(self):
        originals = {}
        for folder in ("spamassassin", "torture"):
            for path in sorted(pathlib.Path(CORPUS, folder).rglob("*.eml")):
                originals[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        self.assertGreater(len(originals), 5000)
        with Simulator("--users", 12, "--messages", 0, "--mail", CORPUS) as simulator:
            archive = self.archive(simulator)
            archive.sync(timeout=900)
            entries = self.assert_archived(simulator, archive)
            exported = sorted(e["sha256"] for e in entries)
            expected = sorted(hashlib.sha256(p.read_bytes()).hexdigest()
                              for p in pathlib.Path(CORPUS).rglob("*.eml"))
            archived_files = sorted(m["sha256"] for m in self.expected_messages(simulator).values())
            self.assertEqual(exported, archived_files)
            self.assertEqual(exported, expected, "every file of the corpus is in an archived folder")
            archive.run("verify")


if __name__ == "__main__":
    unittest.main(verbosity=2)
