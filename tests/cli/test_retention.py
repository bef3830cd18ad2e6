import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import time
import unittest

import test_disposal

YEAR = 366 * 86400


class RetentionTest(test_disposal.DisposalTest):
    """Three mails of ada and one of bob, as in DisposalTest; two of ada's are old."""

    POLICIES = [{"id": "a-year", "keep": "1y"}]

    def setUp(self):
        super().setUp()
        for number in range(2):
            self.date(self.mail / f"ada-{number}.eml", time.time() - YEAR - 86400 * number)
        self.set_policies(self.POLICIES)

    def date(self, file, seconds):
        os.utime(file, (seconds, seconds))

    def set_policies(self, policies):
        profile = json.loads(self.profile.read_text())
        profile["archive"]["retention"] = policies
        self.profile.write_text(json.dumps(profile))

    def set_search(self, enabled):
        profile = json.loads(self.profile.read_text())
        profile["archive"]["search"] = {"enabled": enabled}
        self.profile.write_text(json.dumps(profile))

    def simulate(self):
        return self.run_ok("retention", "simulate", "--json").document

    def apply(self):
        code = self.simulate()["approval"]["code"]
        return self.run_ok("retention", "apply", "--approve", code, "--json").document

    def exported(self, into):
        self.run_ok("export", "--format", "eml", "--output", into)
        lines = (self.folder / into / "manifest.jsonl").read_text().splitlines()
        return {m["subject"]: m for m in map(json.loads, lines)}

    def packs(self):
        return {f.name: f for f in (self.folder / "archive" / "packs").glob("*/*")}

    def attachment(self, seed, size=200_000):
        """Incompressible, in base64 as mail carries it."""
        data = base64.encodebytes(random.Random(seed).randbytes(size)).decode()
        return data.replace("\n", "\r\n")


class Retention(RetentionTest):
    @unittest.skipUnless(shutil.which("faketime"), "needs the package faketime")
    def test_the_newest_approval_counts_whatever_the_clock(self):
        self.sync()
        self.set_policies([{"id": "ten-years", "keep": "10y"}])
        code = self.simulate()["approval"]["code"]
        subprocess.run(["faketime", "-f", "+2d", *self.command("retention", "apply", "--approve", code)],
                       check=True, capture_output=True)
        self.set_policies(self.POLICIES)
        self.apply()
        self.run_ok("retention", "apply")  # needs no other approval
        self.set_policies([{"id": "ten-years", "keep": "10y"}])
        self.assert_error(self.run_program("retention", "apply", "--json"), 2, "invalid_argument",
                          "approve")

    def test_is_simulated_approved_and_applied(self):
        self.sync()
        shown = self.simulate()
        self.assertFalse(shown["disposed"])
        self.assertEqual(shown["uncovered_items"], 0)
        policy = shown["policies"][0]
        self.assertEqual((policy["id"], policy["keep"], policy["items"]), ("a-year", "1y", 4))
        self.assertEqual(policy["due"]["items"], 2)
        self.assertFalse(shown["approval"]["approved"])
        self.assertIn(shown["approval"]["code"], self.run_ok("retention", "simulate").out)

        with self.subTest("nothing goes before it is approved"):
            refused = self.run_program("retention", "apply", "--json")
            self.assert_error(refused, 2, "invalid_argument", "retention simulate")
            self.assertNotIn("can't be written", refused.err)
            self.assert_error(self.run_program("retention", "apply", "--approve", "abc", "--json"),
                              2, "invalid_argument", "abc")
            self.assertEqual(self.account_of("ada")["items"], 3)

        refs = {s: m["ref"] for s, m in self.exported("before").items()}
        done = self.apply()
        self.assertTrue(done["disposed"])
        self.assertEqual(done["policies"][0]["due"]["items"], 2)
        self.assertTrue(done["approval"]["approved"])
        self.assertIn("@", done["approval"]["approved_by"])

        with self.subTest("it is gone, and the rest is not"):
            self.assertEqual(set(self.exported("after")), {"ada-2", "bob-0"})
            self.assertEqual(self.account_of("ada")["items"], 1)
            self.assertFalse(b"ada-1@example.org" in self.bytes_of_catalog())
            self.run_ok("verify")
        with self.subTest("the log says what was disposed of, by what and by whom"):
            listed = self.run_ok("retention", "list", "--json").document
            disposal = listed["disposals"][0]
            self.assertEqual((disposal["items"], disposal["versions"], disposal["policy"],
                              disposal["cause"]), (2, 2, "a-year", "retention"))
            self.assert_error(self.run_program("show", refs["ada-1"], "--json"), 2,
                              "invalid_argument", disposal["id"])
            self.assertIn(disposal["id"], self.run_ok("retention", "list").out)
        with self.subTest("which can be proven to who has nothing but the public key"):
            self.run_ok("prove", disposal["id"], "--output", "disposal.json")
            proven = self.run_ok("prove", "--check", "disposal.json", "--json").document
            self.assertEqual((proven["disposal"], proven["items"], proven["policy"]),
                             (disposal["id"], 2, "a-year"))
            lines = "".join(ref + "\n" for ref in (refs["ada-0"], refs["ada-1"]))
            lines_too = "".join(ref + "\n" for ref in (refs["ada-1"], refs["ada-0"]))
            self.assertIn(proven["refs_sha256"],
                          [hashlib.sha256(text.encode()).hexdigest()
                           for text in (lines, lines_too)])
            self.assertIn("disposed of 2 items", self.run_ok("prove", "--check",
                                                            "disposal.json").out)
            text = (self.folder / "disposal.json").read_text()
            (self.folder / "forged.json").write_text(text.replace("items 2", "items 1"))
            self.assertEqual(self.run_program("prove", "--check", "forged.json").code, 5)
        with self.subTest("it is not archived again, however it is looked at"):
            for arguments in ((), ("--reconcile",)):
                self.run_ok("sync", *arguments)
            self.assertEqual(self.account_of("ada")["items"], 1)
        with self.subTest("a rebuild brings nothing back"):
            before = self.run_ok("retention", "list", "--json").document
            self.run_ok("rebuild")
            self.assertEqual(self.run_ok("retention", "list", "--json").document, before)
            self.assertEqual(set(self.exported("rebuilt")), {"ada-2", "bob-0"})
            self.run_ok("sync", "--reconcile")
            self.assertEqual(self.account_of("ada")["items"], 1)
            self.run_ok("verify")
        with self.subTest("the next one needs no approval"):
            self.date(self.mail / "ada-2.eml", time.time() - 2 * YEAR)
            again = self.run_ok("retention", "apply", "--json").document
            self.assertEqual(again["policies"][0]["due"]["items"], 0)
        with self.subTest("changed policies do"):
            self.set_policies([{"id": "a-year", "keep": "1d"}])
            self.assert_error(self.run_program("retention", "apply", "--json"), 2,
                              "invalid_argument", "changed since")

    def test_the_first_policy_that_covers_an_item_counts(self):
        ada, bob = str(self.mail), str(self.other)
        self.sync()
        bob = self.account_of("bob")["id"]
        for number in range(4):
            name = f"old-{number}"
            self.add_mail(name, folder=self.other)
            self.date(self.other / f"{name}.eml", time.time() - YEAR)
        self.sync()
        self.set_policies([{"id": "bobs", "accounts": [bob.upper()], "keep": "forever"},
                           {"id": "days", "keep": "30d", "counted_from": "archived"},
                           {"id": "never-reached", "keep": "1d"}])
        effect = {p["id"]: p for p in self.simulate()["policies"]}
        names = self.account_of("bob")
        covered = effect["bobs"]["items"] + effect["days"]["items"]
        self.assertEqual(covered, 8)
        self.assertEqual(effect["never-reached"]["items"], 0)
        self.assertEqual(effect["days"]["due"]["items"], 0)  # archived just now
        self.set_policies([{"id": "bobs", "accounts": [names["address"].upper()],
                            "keep": "forever"}, {"id": "rest", "keep": "1mo"}])
        effect = {p["id"]: p for p in self.simulate()["policies"]}
        self.assertEqual(effect["bobs"]["items"], 5)
        self.assertEqual(effect["bobs"]["due"]["items"], 0)
        self.assertEqual(effect["rest"]["due"]["items"], 2)

    def test_never_past_a_hold(self):
        self.sync()
        ada = self.account_of("ada")
        hold = self.hold("--account", ada["address"].upper(), "--until", "2100-01-01")
        self.assertEqual(self.holds()[0]["items"], 3)
        policy = self.apply()["policies"][0]
        self.assertEqual((policy["due"]["items"], policy["held_items"]), (0, 2))
        self.assertEqual(self.account_of("ada")["items"], 3)
        self.run_ok("hold", "release", hold, "--reason", "settled")
        self.assertEqual(self.run_ok("retention", "apply",
                                     "--json").document["policies"][0]["due"]["items"], 2)

    def test_never_past_a_hold_on_what_a_search_finds(self):
        for name, text in (("old-merger", "the Larch merger"), ("old-lunch", "lunch at noon")):
            self.add_mail(name, text=text)
            self.date(self.mail / f"{name}.eml", time.time() - YEAR)
        self.sync()
        before = {p["items"] for p in self.simulate()["policies"]}
        refused = self.run_program("hold", "place", "--matter", "x", "--reason", "y",
                                   "--query", "(larch")
        self.assertEqual(refused.code, 2, refused)
        self.assertIn("character", refused.err)
        hold = self.hold("--query", "larch OR fir")
        self.assertEqual(self.holds()[0]["items"], 1)
        self.assertEqual(self.holds()[0]["scope"]["query"], "larch OR fir")
        self.add_mail("old-fir", text="firs, too: a fir")  # comes later, is covered all the same
        self.date(self.mail / "old-fir.eml", time.time() - YEAR)
        # Not indexed yet: nobody can tell whether the hold is about it.
        self.set_search(False)
        self.run_ok("sync")
        self.add_mail("old-unread", text="nobody looked into this")
        self.date(self.mail / "old-unread.eml", time.time() - YEAR)
        self.run_ok("sync")
        self.assertEqual(self.holds()[0]["items"], 3)
        self.assertEqual(self.apply()["policies"][0]["held_items"], 3)
        self.set_search(True)
        self.run_ok("sync")
        self.assertEqual(self.holds()[0]["items"], 2)
        policy = self.run_ok("retention", "apply", "--json").document["policies"][0]
        self.assertEqual((policy["due"]["items"], policy["held_items"]), (1, 2))
        kept = self.exported("kept")
        self.assertNotIn("old-lunch", kept)
        self.assertIn("old-merger", kept)
        self.assertIn("old-fir", kept)
        with self.subTest("and forgets none of them"):
            refused = self.run_program("forget", kept["old-fir"]["ref"], "--reason", "asked")
            self.assertEqual(refused.code, 4)
            self.assertIn(hold, refused.err)
        with self.subTest("after a rebuild, too"):
            self.run_ok("rebuild")
            self.run_ok("sync")
            self.assertEqual(self.holds()[0]["items"], 2)

    def test_is_applied_by_the_service(self):
        self.sync()
        self.apply()
        self.add_mail("late")
        self.date(self.mail / "late.eml", time.time() - 2 * YEAR)
        self.run_ok("sync")
        self.assertEqual(self.account_of("ada")["items"], 2)
        with self.subTest("by itself, once a day"):
            service = self.serve()
            self.wait_for(lambda: self.account_of("ada")["items"] == 1, "a disposal", service)
        with self.subTest("when it is asked to"):
            self.add_mail("later")
            self.date(self.mail / "later.eml", time.time() - 2 * YEAR)
            self.run_ok("sync")
            self.assertEqual(self.account_of("ada")["items"], 2)
            done = self.run_ok("retention", "apply", "--json").document
            self.assertEqual(done["policies"][0]["due"]["items"], 1)
            self.assertEqual(self.account_of("ada")["items"], 1)
        with self.subTest("which keeps on archiving"):
            self.add_mail("new")
            self.run_ok("sync")
            self.assertEqual(self.account_of("ada")["items"], 2)
        self.stop(service)
        self.run_ok("verify")

    def test_bytes_go_out_of_the_packs(self):
        """A pack with nothing else goes at once; where a fifth is to go, it is written anew."""
        self.add_mail("kept", text="kept " + self.attachment("kept", 900_000))
        self.add_mail("large", text=self.attachment("large", 900_000))
        self.date(self.mail / "large.eml", time.time() - 2 * YEAR)
        self.sync()
        before = set(self.packs())
        self.assertEqual(len(before), 1)
        kept = self.exported("before")["kept"]["sha256"]
        self.apply()
        packs = self.packs()
        fresh = set(packs) - before
        self.assertEqual(len(fresh), 1)
        self.assertLess(packs[fresh.pop()].stat().st_size, 1_000_000)
        self.assertEqual(self.exported("after")["kept"]["sha256"], kept)
        self.run_ok("verify")
        self.run_ok("rebuild")
        self.assertEqual(self.exported("rebuilt")["kept"]["sha256"], kept)
        self.run_ok("verify")
        with self.subTest("the last of it"):
            for file in (*self.mail.glob("*.eml"), *self.other.glob("*.eml")):
                file.unlink()
            self.set_policies([{"id": "short", "keep": "1d", "counted_from": "archived"}])
            self.assertEqual(self.simulate()["policies"][0]["due"]["items"], 0)

    def test_what_is_wrong_in_the_profile_is_said(self):
        for policies, word in (([{"id": "x", "keep": "5m"}], "7y"),
                               ([{"id": "x", "keep": "1y"}, {"id": "x", "keep": "2y"}], "own"),
                               ([{"keep": "1y"}], "id"),
                               ([{"id": "x", "keep": "1y", "folder": ["a"]}], "folders")):
            self.set_policies(policies)
            result = self.run_program("profile", "check")
            self.assertEqual(result.code, 2)
            self.assertIn(word, result.out + result.err)
        self.set_policies([])
        self.sync()
        self.assert_error(self.run_program("retention", "apply", "--json"), 2, "invalid_argument",
                          "archive.retention")
        self.assertIn("for ever", self.run_ok("retention", "list").out)


class ForgetItem(RetentionTest):
    POLICIES = []

    def test_takes_one_item_away_for_good(self):
        self.sync()
        refs = {s: m["ref"] for s, m in self.exported("before").items()}
        packs = self.packs()
        plan = self.run_ok("forget", refs["ada-0"], "--reason", "she asked", "--preview",
                           "--json").document
        self.assertEqual((plan["items"], plan["versions"], plan["forgotten"]), (1, 1, False))
        done = self.run_ok("forget", refs["ada-0"], "--reason", "she asked", "--json").document
        self.assertTrue(done["forgotten"])
        self.assertEqual(set(self.exported("after")), {"ada-1", "ada-2", "bob-0"})
        self.assertTrue(set(self.packs()) - set(packs))  # rewritten at once, small as it is
        self.assertFalse(b"ada-0@example.org" in self.bytes_of_catalog())
        self.run_ok("verify")
        self.run_ok("sync", "--reconcile")
        self.run_ok("rebuild")
        self.assertEqual(set(self.exported("rebuilt")), {"ada-1", "ada-2", "bob-0"})
        self.run_ok("verify")
        disposal = self.run_ok("retention", "list", "--json").document["disposals"][0]
        self.assertEqual((disposal["cause"], disposal["reason"], disposal["policy"]),
                         ("forget", "she asked", None))
        self.assert_error(self.run_program("forget", refs["ada-0"], "--reason", "x", "--json"), 2,
                          "invalid_argument", disposal["id"])

    def test_a_part_that_another_account_holds_stays_for_that_one(self):
        shared = ("Content-Type: application/octet-stream\r\n"
                  "Content-Transfer-Encoding: base64\r\n\r\n" + self.attachment("shared"))
        self.add_mail("with-part", text=shared)
        self.add_mail("with-part-too", text=shared, folder=self.other)
        self.sync()
        before = self.exported("before")
        self.run_ok("forget", before["with-part"]["ref"], "--reason", "she asked")
        after = self.exported("after")
        self.assertEqual(after["with-part-too"]["sha256"], before["with-part-too"]["sha256"])
        self.run_ok("verify")
        self.run_ok("forget", before["with-part-too"]["ref"], "--reason", "he asked")
        self.run_ok("verify")
        self.assertEqual(sum(f.stat().st_size < 100_000 for f in self.packs().values()), 1)

    def test_of_a_forgotten_account_the_packs_are_cleaned_by_the_next_sync(self):
        self.add_mail("large", text=self.attachment("large", 900_000))
        self.sync()
        before = set(self.packs())
        self.run_ok("forget", self.account_of("ada")["id"], "--reason", "she asked")
        self.run_ok("rebuild")  # which can't read any more what the packs had of hers
        self.add_mail("bob-1", folder=self.other)
        self.sync()
        fresh = [f for name, f in self.packs().items() if name not in before]
        self.assertEqual(len(fresh), 2)  # what bob had in it, and what he got
        self.assertLess(max(f.stat().st_size for f in fresh), 10_000)
        self.assertEqual(set(self.exported("after")), {"bob-0", "bob-1"})
        self.run_ok("verify")
        self.run_ok("rebuild")
        self.run_ok("verify")

    def test_never_past_a_hold_also_through_the_service(self):
        self.sync()
        refs = {s: m["ref"] for s, m in self.exported("before").items()}
        hold = self.hold("--sender", "ada@")
        service = self.serve()
        for arguments in (("--preview",), ()):
            result = self.run_program("forget", refs["ada-0"], "--reason", "x", *arguments)
            self.assertIn(hold, result.out + result.err)
        self.assertEqual(result.code, 4)
        self.run_ok("hold", "release", hold, "--reason", "settled")
        self.run_ok("forget", refs["ada-0"], "--reason", "x")
        self.stop(service)
        self.assertEqual(set(self.exported("after")), {"ada-1", "ada-2", "bob-0"})

    def test_an_archive_without_encryption_forgets_items_too(self):
        self.write_profile(self.mailfiles_source(), archive={
            "encryption": {"mode": "none"},
            "storage": {"backend": "filesystem", "config": {"root": "./archive"}},
            "catalog": {"path": "./catalog"}})
        self.sync()
        ref = self.exported("before")["ada-0"]["ref"]
        self.run_ok("forget", ref, "--reason", "x")
        self.assertNotIn("ada-0", self.exported("after"))
        self.run_ok("verify")


if __name__ == "__main__":
    unittest.main()
