"""The archive's evidence: heads, verify against a kept head, proofs and their independent check."""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time
import unittest

from harness import Archive, ArchiverTest, running, wait_until
from timestamp_authority import TimestampAuthority

HERE = pathlib.Path(__file__).parent


class EvidenceTest(ArchiverTest):
    """An archive of some mail files."""

    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail" / "ada"
        self.mail.mkdir(parents=True)
        self.site = self.new_site("site")

    def new_site(self, name):
        return Archive(self.folder / name, {"paths": [str(self.mail)]}, provider="mailfiles")

    def add_mail(self, count=1):
        first = len(list(self.mail.iterdir()))
        for i in range(first, first + count):
            (self.mail / f"{i}.eml").write_bytes(
                f"From: ada@example.org\r\nSubject: number {i}\r\n\r\nText {i}.\r\n".encode())

    def store(self, site=None):
        return (site or self.site).folder / "archive"

    def heads(self, site=None):
        return sorted(p for p in (self.store(site) / "heads").iterdir() if p.suffix != ".tsr")

    def segments(self):
        return sorted(p for p in (self.store() / "log").rglob("0*") if p.is_file())

    def keep_head(self, name="kept"):
        kept = self.folder / name
        kept.write_bytes(self.site.run("prove", "--head").stdout)
        return kept

    def findings(self, *arguments, expect=5):
        report = self.site.json("verify", *arguments, expect=expect)
        self.assertEqual(report["damaged"], expect == 5)
        return report, {f["kind"]: f for f in report["findings"]}

    def replace(self, path, data):
        """As another program would: the engine's objects are read-only."""
        path.unlink(missing_ok=True)
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


class Heads(EvidenceTest):
    def test_each_run_with_something_new_ends_with_a_head(self):
        self.add_mail(3)
        self.site.sync()
        self.assertEqual([p.name for p in self.heads()], [f"{1:020}"])
        self.site.sync()
        self.assertEqual(len(self.heads()), 1, "nothing new, no head")
        self.add_mail(2)
        self.site.sync()
        first, second = (p.read_text() for p in self.heads())
        lines = second.splitlines()
        self.assertEqual(lines[1], "5")
        self.assertIn("head 2", lines)
        self.assertIn("previous " + hashlib.sha256(first.encode()).hexdigest(), lines)
        report = self.site.json("verify")
        self.assertEqual(report["newest_head"]["number"], 2)
        self.assertEqual(report["newest_head"]["leaves"], 5)
        self.assertEqual(report["findings"], [])

    def test_openssl_and_the_signed_note_rules_agree_with_a_head(self):
        self.add_mail()
        self.site.sync()
        note = self.heads()[0].read_text()
        text, _, signatures = note.partition("\n\n")
        text += "\n"
        dash, name, value = signatures.rstrip("\n").split(" ")
        self.assertEqual((dash, name), ("\u2014", text.splitlines()[0]))
        raw = base64.b64decode(value)
        pem = self.site.json("key", "check")["public_key"]
        der = base64.b64decode("".join(pem.splitlines()[1:-1]))
        key_id = hashlib.sha256(name.encode() + b"\n\x01" + der[-32:]).digest()[:4]
        self.assertEqual(raw[:4], key_id)
        (self.folder / "key.pem").write_text(pem)
        (self.folder / "text").write_text(text)
        (self.folder / "signature").write_bytes(raw[4:])
        subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin",
                        "-in", "text", "-sigfile", "signature"], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)

    def test_a_rebuilt_catalog_has_the_same_tree_and_goes_on(self):
        self.add_mail(300)
        self.site.sync()
        self.add_mail(300)
        self.site.sync()

        def tree():
            with sqlite3.connect(self.site.folder / "catalog" / "catalog.db") as catalog:
                return (catalog.execute("SELECT * FROM tiles ORDER BY 1, 2").fetchall(),
                        catalog.execute("SELECT * FROM heads").fetchall())
        before = tree()
        self.assertEqual([(level, tile, len(hashes) // 32) for level, tile, hashes in before[0]],
                         [(0, 0, 256), (0, 1, 256), (0, 2, 88), (1, 0, 2)])
        self.site.run("rebuild")
        self.assertEqual(tree(), before)
        self.add_mail(1)
        self.site.sync()
        self.assertEqual(len(self.heads()), 3)
        self.assertEqual(self.site.json("verify")["newest_head"]["leaves"], 601)

    def test_a_head_that_the_catalog_does_not_know_is_taken_over(self):
        """Written, and killed before the catalog had it."""
        self.add_mail(2)
        self.site.sync()
        with sqlite3.connect(self.site.folder / "catalog" / "catalog.db") as catalog:
            (leaves,) = catalog.execute("SELECT hashes FROM tiles").fetchone()
            catalog.execute("DELETE FROM heads")
            catalog.execute("DELETE FROM tiles")
            catalog.execute("UPDATE segments SET first=-1, hashes=?", (leaves,))
        self.add_mail(1)
        self.site.sync()
        self.assertEqual(len(self.heads()), 2)
        self.assertEqual(self.site.json("verify")["newest_head"]["leaves"], 3)

    def test_a_service_signs_at_a_rhythm_and_at_its_end(self):
        self.site.profile["archive"]["evidence"] = {"head_every": "1s"}
        self.site.profile["sources"][0]["schedule"] = {"every": "1s"}
        self.site.write_profile()
        self.add_mail()
        with running(self.site.start("serve", stderr=subprocess.DEVNULL)) as service:
            wait_until(lambda: (self.store() / "heads").exists() and self.heads(), what="a head")
            self.add_mail()
            wait_until(lambda: len(self.heads()) >= 2, what="the next head")
            service.terminate()
            self.assertEqual(service.wait(30), 0)
        report = self.site.json("verify")
        self.assertEqual(report["newest_head"]["leaves"], 2)

    def test_a_clock_that_goes_back_does_not_disorder_heads(self):
        if not shutil.which("faketime"):
            self.skipTest("no faketime")
        self.add_mail()
        self.site.sync()
        self.add_mail()
        subprocess.run(["faketime", "-f", "-10d", *self.site.command("sync")], check=True,
                       capture_output=True)
        self.add_mail()
        self.site.sync()
        self.assertEqual([p.read_text().splitlines()[3] for p in self.heads()],
                         ["head 1", "head 2", "head 3"])
        self.site.run("verify")
        self.site.run("rebuild")
        self.site.run("verify")

    def test_a_host_whose_clock_was_ahead_does_not_undo_what_comes_after_it(self):
        if not shutil.which("faketime"):
            self.skipTest("no faketime")
        self.add_mail(3)
        subprocess.run(["faketime", "-f", "+3h", *self.site.command("sync")], check=True,
                       capture_output=True)
        # The next writer's clock is right, and seems to have gone back.
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild")
        (self.mail / "0.eml").unlink()
        self.site.sync()
        items = {entry["item"]: entry for entry in self.fresh_export(self.site)}
        ref = next(e["ref"] for e in items.values() if e["in_mailbox"])
        self.site.run("forget", ref, "--reason", "asked to")
        known = {e["ref"]: e["in_mailbox"] for e in self.fresh_export(self.site)}
        self.assertEqual(sorted(known.values()), [False, True])
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild")
        self.assertEqual({e["ref"]: e["in_mailbox"] for e in self.fresh_export(self.site)}, known)
        self.site.run("verify")


class Tampering(EvidenceTest):
    def setUp(self):
        super().setUp()
        self.add_mail(3)
        self.site.sync()
        self.add_mail(2)
        self.site.sync()

    def test_without_a_kept_head_a_rollback_is_not_called_clean(self):
        report, _ = self.findings(expect=0)
        self.assertEqual(report["rollback"], "not_detectable")
        self.assertIn(b"not detectable", self.site.run("verify").stdout)
        report, _ = self.findings("--head", self.keep_head(), expect=0)
        self.assertEqual(report["rollback"], "none")
        self.assertEqual(report["kept_head"], 2)

    def test_a_rollback_of_everything_is_detected_with_a_kept_head(self):
        copy = self.folder / "copy"
        shutil.copytree(self.site.folder, copy)
        self.add_mail(2)
        self.site.sync()
        kept = self.keep_head()
        for name in ("archive", "catalog"):
            shutil.rmtree(self.site.folder / name)
            shutil.copytree(copy / name, self.site.folder / name)
        report, _ = self.findings(expect=0)
        self.assertEqual(report["rollback"], "not_detectable")
        for quick in ((), ("--quick",)):
            report, found = self.findings("--head", kept, *quick)
            self.assertEqual(report["rollback"], "detected")
            self.assertIn("history_rewritten", found)
            self.assertIn("segment_missing", found)

    def test_a_removed_tail_is_detected(self):
        kept = self.keep_head()
        self.segments()[-1].unlink()
        self.heads()[-1].unlink()
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild")
        report, _ = self.findings(expect=0)
        self.assertEqual(report["rollback"], "not_detectable")
        report, found = self.findings("--head", kept)
        self.assertEqual(report["rollback"], "detected")
        self.assertIn("kept head 2", found["segment_missing"]["message"])

    def test_a_tail_that_a_head_in_the_archive_covers_needs_no_kept_one(self):
        self.segments()[-1].unlink()
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild")
        report, found = self.findings()
        self.assertIn("head 2 covers", found["segment_missing"]["message"])
        # What is archived on this state is not signed over: the contradiction stays to be seen.
        self.add_mail(1)
        done = self.site.run("sync")
        self.assertIn(b"contradict", done.stderr)
        self.assertEqual(len(self.heads()), 2)
        self.site.profile["archive"]["evidence"] = {"head_every": "1s"}
        self.site.write_profile()
        wait_until(lambda: self.site.json("status")["evidence"]["problems"], what="a problem")

    def test_heads_that_were_changed_exchanged_or_removed_are_named(self):
        first, second = self.heads()
        notes = first.read_bytes(), second.read_bytes()
        for what, damage, kind in (
                ("changed", {second: notes[1].replace(b"\n5\n", b"\n4\n", 1)}, "head_damaged"),
                ("cut short", {second: notes[1][:-30]}, "head_damaged"),
                ("exchanged", {first: notes[1], second: notes[0]}, "head_damaged"),
                ("replayed", {second: notes[0]}, "head_damaged"),
                ("removed", {first: None}, "head_missing")):
            with self.subTest(what):
                for path, data in damage.items():
                    self.replace(path, data)
                _, found = self.findings()
                self.assertIn(kind, found)
                self.assertTrue(found[kind]["object"].startswith("heads/"))
                self.replace(first, notes[0])
                self.replace(second, notes[1])
        self.findings(expect=0)

    def test_the_last_head_is_missed_as_long_as_the_catalog_knows_it(self):
        last = self.heads()[-1]
        data = last.read_bytes()
        self.replace(last, None)
        report, found = self.findings()
        self.assertEqual(found["head_missing"]["object"], f"heads/{last.name}")
        self.assertEqual(report["rollback"], "detected")
        self.replace(last, data)
        self.findings(expect=0)

    def test_an_older_keyring_is_told_from_forgotten_accounts(self):
        old = self.add_account()
        self.site.run("verify")
        self.replace(self.store() / "keyring", old)
        _, found = self.findings()
        self.assertIn("older", found["keyring_replaced"]["message"])
        # A key that is gone without a decision in the log; `forget` leaves one (tests/cli).
        self.assertIn("no account was forgotten", found["key_missing"]["message"])

    def add_account(self):
        """A second account, whose key the keyring of before does not have. The keyring of before."""
        old = (self.store() / "keyring").read_bytes()
        other = self.folder / "mail" / "bob"
        other.mkdir()
        (other / "1.eml").write_bytes(b"From: bob@example.org\r\n\r\nHello.\r\n")
        self.site.profile["sources"].append(
            {"id": "second", "provider": "mailfiles", "config": {"paths": [str(other)]}})
        self.site.write_profile()
        self.site.run("sync")
        return old

    def test_an_older_keyring_is_replaced_by_the_newest_that_the_engine_has(self):
        old = self.add_account()
        newest = (self.store() / "keyring").read_bytes()
        self.replace(self.store() / "keyring", old)
        self.add_mail()
        self.assertIn(b"OA-3013", self.site.run("sync").stderr)
        self.assertEqual((self.store() / "keyring").read_bytes(), newest)
        self.site.run("verify")
        self.assertEqual(len(self.fresh_export(self.site)), 7)

    def test_nothing_is_written_with_an_older_keyring(self):
        old = self.add_account()
        newest = (self.store() / "keyring").read_bytes()
        self.replace(self.store() / "keyring", old)
        (self.site.folder / "catalog" / "keyring").unlink()
        self.add_mail()
        before = self.segments()
        self.assertIn(b"keyring is an older one", self.site.run("sync", expect=4).stderr)
        # Nor is its account's mail given up as forgotten.
        shutil.rmtree(self.site.folder / "catalog")
        self.assertIn(b"--accept-lost-keys", self.site.run("rebuild", expect=4).stderr)
        self.assertEqual(self.segments(), before)
        self.replace(self.store() / "keyring", newest)
        self.site.run("rebuild")
        self.site.run("sync")
        self.site.run("verify")
        self.assertEqual(len(self.fresh_export(self.site)), 7)

    def test_lost_keys_are_given_up_only_by_a_decision(self):
        old = self.add_account()
        self.replace(self.store() / "keyring", old)
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild", "--accept-lost-keys")
        self.assertEqual(len(self.fresh_export(self.site)), 5)
        self.site.run("sync")  # with a key of its own, bob's mail comes again
        self.assertEqual(len(self.fresh_export(self.site)), 6)
        shutil.rmtree(self.site.folder / "catalog")
        self.site.run("rebuild", expect=4)

    def test_the_engine_s_copy_of_the_keyring(self):
        self.add_account()
        newest = (self.store() / "keyring").read_bytes()
        kept = self.site.folder / "catalog" / "keyring"
        self.assertEqual(kept.read_bytes(), newest)
        for wrong in (None, b"", newest[:-1] + bytes([newest[-1] ^ 1])):
            with self.subTest("one that is gone or damaged: it is named", wrong=wrong and len(wrong)):
                self.replace(self.store() / "keyring", wrong)
                self.assertIn(str(kept).encode(), self.site.run("sync", expect=4).stderr)
                self.assertEqual(kept.read_bytes(), newest)
        shutil.copy(kept, self.store() / "keyring")
        self.site.sync()
        with self.subTest("a keyring from before a rotation"):
            self.site.run("key", "rotate")
            rotated = (self.store() / "keyring").read_bytes()
            self.assertNotEqual(rotated, newest)
            self.replace(self.store() / "keyring", newest)
            self.assertIn(b"OA-3013", self.site.run("sync").stderr)
            self.assertEqual((self.store() / "keyring").read_bytes(), rotated)
        with self.subTest("what the engine keeps is not better where it is damaged"):
            kept.write_bytes(b"OARCKEYS" + bytes(100))
            self.site.sync()
            self.assertEqual(kept.read_bytes(), rotated)
        self.site.run("verify")

    def test_a_catalog_that_can_not_tell_its_archive_is_made_anew(self):
        with sqlite3.connect(self.site.folder / "catalog" / "catalog.db") as catalog:
            catalog.execute("DELETE FROM meta WHERE key='archive'")
        catalog.close()
        self.site.run("rebuild")
        self.site.run("verify")

    def test_nothing_is_disposed_of_while_the_log_has_a_gap(self):
        segment = self.segments()[1]
        data = segment.read_bytes()
        self.replace(segment, None)
        done = self.site.run("rebuild")
        self.assertIn(b"OA-3004", done.stderr)
        self.assertIn("gap", self.site.json("rebuild")["problem"])
        self.site.profile["archive"]["retention"] = [{"id": "none", "keep": "1d"}]
        self.site.write_profile()
        code = self.site.json("retention", "simulate")["approval"]["code"]
        refused = self.site.json("retention", "apply", "--approve", code, expect=4)
        self.assertIn("legal hold", refused["error"]["message"])
        self.replace(segment, data)
        self.assertIsNone(self.site.json("rebuild")["problem"])
        self.site.run("retention", "apply", "--approve", code)

    def test_what_a_catalog_lacks_of_decisions_is_damage(self):
        hold = self.site.json("hold", "place", "--matter", "m", "--reason", "r",
                              "--since", "2100-01-01")["id"]
        self.site.profile["archive"]["retention"] = [{"id": "long", "keep": "90y"}]
        self.site.write_profile()
        self.site.run("retention", "apply", "--approve",
                      self.site.json("retention", "simulate")["approval"]["code"])
        with sqlite3.connect(self.site.folder / "catalog" / "catalog.db") as catalog:
            catalog.execute("DELETE FROM holds")
            catalog.execute("DELETE FROM approvals")
            catalog.execute("INSERT INTO forgotten VALUES('contoso', 'nobody', 'r', 'me', 1)")
        catalog.close()
        report, _ = self.findings()
        self.assertEqual({f["object"] for f in report["findings"]},
                         {"catalog/holds", "catalog/approvals", "catalog/forgotten accounts"})
        self.site.run("rebuild")
        self.assertEqual([h["id"] for h in self.site.json("hold", "list")["holds"]], [hold])

    def test_heads_never_go_back_and_nothing_is_disposed_of_meanwhile(self):
        with self.subTest("a last segment that adds nothing to the tree"):
            (self.mail / "0.eml").unlink()
            self.site.sync()
            last = self.segments()[-1]
            data = last.read_bytes()
            heads = self.heads()
            self.replace(last, None)
            shutil.rmtree(self.site.folder / "catalog")
            self.site.run("rebuild")
        with self.subTest("no head contradicts one that is there, and the status tells"):
            self.site.run("sync", expect=None)
            self.assertEqual(self.heads(), heads)
            problems = self.site.json("status")["evidence"]["problems"]
            self.assertTrue(any("contradict" in text for text in problems), problems)
        with self.subTest("a hold may be in what is missing"):
            ref = self.fresh_export(self.site)[0]["ref"]
            refused = self.site.json("forget", ref, "--reason", "r", expect=4)
            self.assertIn("legal hold", refused["error"]["message"])
        with self.subTest("it is mended by what it asks for"):
            # What came of the run without it goes: it took the number of the lost one's successor.
            for path in self.segments():
                if path.parent != last.parent:
                    path.unlink()
            self.replace(last, data)
            shutil.rmtree(self.site.folder / "catalog")
            self.site.run("rebuild")
            self.assertEqual(self.site.json("status")["evidence"]["problems"], [])
            self.site.run("forget", ref, "--reason", "r")
            self.site.run("verify")

    def test_damage_names_items_and_accounts(self):
        for pack in (self.store() / "packs").rglob("*"):
            if pack.is_file():
                self.replace(pack, None)
        _, found = self.findings()
        self.assertEqual(found["pack_missing"]["affected"]["accounts"], ["contoso ada"])
        self.assertIn(b"contoso ada", self.site.run("verify", expect=5).stdout)

    def test_parts_check_the_tree_as_well(self):
        kept = self.keep_head()
        for part in ("1/2", "2/2"):
            report, _ = self.findings("--part", part, "--head", kept, expect=0)
            self.assertEqual(report["counts"]["heads"], 2)

    def test_kept_heads_that_are_none_are_refused(self):
        kept = self.keep_head()
        other = self.new_site("other")
        other.sync()
        foreign = self.folder / "foreign"
        foreign.write_bytes(other.run("prove", "--head").stdout)
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        for file, word in ((foreign, b"of archive"), (empty, b"no signed head"),
                           (self.folder / "nowhere", b"can't be read")):
            done = self.site.run("verify", "--head", file, expect=2)
            self.assertIn(word, done.stderr)
        forged = kept.read_text().replace("\n5\n", "\n6\n", 1)
        kept.write_text(forged)
        _, found = self.findings("--head", kept)
        self.assertEqual(found["head_damaged"]["object"], "kept head")


class ProofHelpers(EvidenceTest):
    """What both kinds of tests of proofs need."""

    def content(self, entry):
        return self.site.folder / "export" / entry["path"]

    def prove(self, entry):
        self.site.run("prove", entry["ref"], "--output", self.proof)
        return json.loads(self.proof.read_text())

    def check(self, *arguments, proof=None, expect=0):
        """Away from profile and archive."""
        done = subprocess.run([os.environ["OPENARCHIVER_PROGRAM"], "--json", "prove", "--check",
                               str(proof or self.proof), *map(str, arguments)],
                              cwd="/", capture_output=True, timeout=60)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def write(self, document):
        """A proof that is sound in its form."""
        document = {k: v for k, v in document.items() if k != "checksum"}
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        checksum = hashlib.sha256(text.encode()).hexdigest()
        self.proof.write_text(text[:-1] + f',"checksum":"{checksum}"}}\n')


class Proofs(ProofHelpers):
    def setUp(self):
        super().setUp()
        self.add_mail(5)
        self.site.sync()
        self.add_mail(4)
        self.site.sync()
        self.entries = self.site.export()
        self.key = self.folder / "public.pem"
        self.key.write_text(self.site.json("key", "check")["public_key"])
        self.proof = self.folder / "proof.json"

    def test_each_item_can_be_proven_and_checked_without_the_archive(self):
        for entry in self.entries:
            self.prove(entry)
            document = self.check("--public-key", self.key, "--content", self.content(entry))
            self.assertEqual(document["sha256"], entry["sha256"])
            self.assertEqual(document["size"], entry["size"])
            self.assertEqual(document["item"], entry["item"])
            self.assertEqual(document["archived_at"], entry["archived_at"])
            self.assertEqual(document["head"]["number"], 2)
            self.assertTrue(document["content_compared"])
            self.assertFalse(document["public_key_from_proof"])
        self.assertTrue(self.check()["public_key_from_proof"])
        self.check("--content", self.content(self.entries[0]), expect=5)

    def test_a_reader_s_own_script_comes_to_the_same_result(self):
        script = HERE / "check_proof.py"
        for entry in self.entries:
            self.prove(entry)
            done = subprocess.run([sys.executable, script, self.proof, self.key,
                                   self.content(entry)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(entry["sha256"], done.stdout)
        changed = json.loads(self.proof.read_text())
        changed["leaf"] = (changed["leaf"] + 1) % 9
        self.write(changed)
        self.assertNotEqual(subprocess.run([sys.executable, script, self.proof, self.key],
                                           capture_output=True).returncode, 0)

    def test_the_script_in_the_documentation_is_the_one_that_is_tested(self):
        page = (HERE.parents[1] / "docs" / "evidence.md").read_text()
        self.assertIn((HERE / "check_proof.py").read_text(), page)

    def test_a_changed_byte_anywhere_is_refused(self):
        self.prove(self.entries[0])
        good = self.proof.read_bytes()
        changed = self.folder / "changed.json"
        for at in range(0, len(good), 7):
            changed.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
            self.check("--public-key", self.key, proof=changed, expect=5)
        for end in (0, 1, len(good) // 2, len(good) - 1):
            changed.write_bytes(good[:end])
            self.check("--public-key", self.key, proof=changed, expect=5)

    def test_a_forger_with_a_right_checksum_is_refused(self):
        good = self.prove(self.entries[0])
        other = self.prove(self.entries[1])
        self.write(good)
        self.check("--public-key", self.key)
        for member, value in (
                ("statement", good["statement"].replace("fidelity exact",
                                                        "fidelity reconstructed")),
                ("statement", good["statement"].replace("archived_at 20", "archived_at 19")),
                ("statement", other["statement"]), ("salt", other["salt"]),
                ("leaf", good["leaf"] + 1), ("leaf", 10 ** 9), ("path", good["path"][:-1]),
                ("path", good["path"][::-1]), ("path", []),
                ("path", good["path"] + [good["path"][0]]),
                ("head", self.heads()[0].read_text()),
                ("head", good["head"].replace("head 2", "head 3"))):
            with self.subTest(member, value=str(value)[:60]):
                self.write({**good, member: value})
                self.check("--public-key", self.key, expect=5)

    def test_another_archive_s_key_does_not_sign_for_this_one(self):
        self.prove(self.entries[0])
        other = self.new_site("other")
        other.sync()
        wrong = self.folder / "wrong.pem"
        wrong.write_text(other.json("key", "check")["public_key"])
        self.check("--public-key", wrong, expect=5)
        wrong.write_text("no key")
        self.check("--public-key", wrong, expect=2)
        self.check(proof=self.folder / "nowhere.json", expect=2)

    def test_what_can_t_be_proven_is_said(self):
        self.assertEqual(self.site.run("prove", "0" * 24, expect=2).stdout, b"")
        self.site.run("prove", expect=2)
        self.site.run("prove", "--check", "a", "--head", expect=2)
        self.site.run("prove", self.entries[0]["ref"], "--version", "2", expect=2)

    def test_leaves_stay_and_tell_nothing_once_an_account_s_key_is_gone(self):
        """The tree is of commitments in the archive's own block: it outlives an account's key."""
        for segment in self.segments():
            data = segment.read_bytes()
            for entry in self.entries:
                self.assertNotIn(bytes.fromhex(entry["sha256"]), data)
                self.assertNotIn(entry["sha256"].encode(), data)


class Witnesses(ProofHelpers):
    """A timestamp authority and a second place."""

    def setUp(self):
        super().setUp()
        self.key = self.folder / "public.pem"
        self.proof = self.folder / "proof.json"
        self.place = self.folder / "place"

    def evidence(self, **settings):
        self.site.profile["archive"]["evidence"] = settings
        self.site.write_profile()

    def authority(self, name="tsa"):
        authority = self.enterContext(TimestampAuthority(self.folder / name))
        self.evidence(timestamp_authority={"url": authority.url, "every": "1s",
                                           "ca_file": str(authority.ca_file)})
        return authority

    def timestamps(self):
        return sorted(p.name for p in (self.store() / "heads").glob("*.tsr"))

    def status(self):
        return self.site.json("status")["evidence"]

    def proof_of_first(self):
        entry = self.site.export(f"export-{len(list(self.site.folder.iterdir()))}")[0]
        self.key.write_text(self.site.json("key", "check")["public_key"])
        return self.prove(entry)

    def test_heads_are_timestamped_and_proofs_bring_the_timestamp(self):
        authority = self.authority()
        self.add_mail(2)
        self.site.sync()
        self.assertEqual(self.timestamps(), [f"{1:020}.tsr"])
        self.assertEqual(authority.queries[0][0], "application/timestamp-query")
        self.assertEqual(self.status()["timestamp"]["head"], 1)
        self.site.run("verify")
        self.assertIsNotNone(self.proof_of_first()["timestamp"])
        document = self.check("--public-key", self.key, "--timestamp-ca", authority.ca_file)
        self.assertTrue(document["timestamp"]["trusted"])
        self.assertIn("Test TSA", document["timestamp"]["authority"])
        self.assertFalse(self.check("--public-key", self.key)["timestamp"]["trusted"])
        # As anybody else would, with OpenSSL alone.
        head = self.heads()[0]
        subprocess.run(["openssl", "ts", "-verify", "-data", head, "-in", f"{head}.tsr",
                        "-CAfile", authority.ca_file], check=True, capture_output=True)
        self.add_mail()
        time.sleep(1)
        self.site.sync()
        first, second = sorted((self.store() / "heads").glob("*.tsr"))
        good = second.read_bytes()
        for data in (first.read_bytes(), good[:-1], good[:-9] + bytes([good[-9] ^ 1]) + good[-8:]):
            self.replace(second, data)
            _, found = self.findings()
            self.assertTrue(found["head_damaged"]["object"].endswith("2.tsr"))
        self.replace(second, good)
        self.findings(expect=0)
        with TimestampAuthority(self.folder / "stranger") as stranger:
            self.check("--public-key", self.key, "--timestamp-ca", stranger.ca_file, expect=5)
        self.check("--timestamp-ca", self.folder / "nowhere.pem", expect=2)

    def test_a_timestamp_of_something_else_is_no_part_of_a_proof(self):
        authority = self.authority()
        self.add_mail(2)
        self.site.sync()
        proof = self.proof_of_first()
        other = authority.reply(authority.query(b"something else"))
        for value in (base64.b64encode(other).decode(), base64.b64encode(b"nothing").decode(),
                      proof["timestamp"][:-8]):
            self.write({**proof, "timestamp": value})
            self.check("--public-key", self.key, expect=5)
        self.write({**proof, "timestamp": None})
        self.check("--public-key", self.key)
        self.check("--public-key", self.key, "--timestamp-ca", authority.ca_file, expect=5)

    def test_an_authority_that_answers_wrong_is_not_believed(self):
        authority = self.authority()
        with TimestampAuthority(self.folder / "stranger") as stranger:
            for what, answer, word in (
                    ("down", lambda query: None, "503"),
                    ("not its form", lambda query: b"<html>", "no reply"),
                    ("wrong digest", lambda query: authority.reply(authority.query(b"else")), ""),
                    ("no nonce", lambda query: authority.reply(
                        authority.query((self.heads()[-1]).read_bytes(), "-no_nonce")), "nonce"),
                    ("wrong nonce", lambda query: authority.reply(
                        authority.query((self.heads()[-1]).read_bytes())), "nonce"),
                    ("untrusted", stranger.reply, "certificate"),
                    ("replayed", lambda query: authority.reply(authority.queries[0][1]), "")):
                with self.subTest(what):
                    authority.answer = answer
                    self.add_mail()
                    self.site.sync()  # the archive goes on
                    self.assertEqual(self.timestamps(), [])
                    self.assertIn(word, self.status()["timestamp"]["error"])
        wait_until(lambda: self.status()["problems"], what="the problem to be shown")
        self.assertIn("no timestamp since the beginning", self.status()["problems"][0])
        self.assertIn(b"ATTENTION", self.site.run("status").stdout)
        authority.answer = authority.reply
        self.site.sync()  # nothing new, but the head still wants its timestamp
        self.assertEqual(len(self.timestamps()), 1)
        self.assertEqual(self.status()["problems"], [])
        self.assertIsNone(self.status()["timestamp"]["failing_since"])

    def test_an_authority_that_is_away_holds_nothing_up(self):
        self.evidence(timestamp_authority={"url": "http://127.0.0.1:1/", "every": "1s"})
        self.add_mail()
        self.site.sync()
        self.assertEqual(len(self.heads()), 1)
        self.assertNotEqual(self.status()["timestamp"]["error"], "")

    def test_a_service_publishes_and_timestamps(self):
        self.place.mkdir()
        authority = self.authority()
        self.site.profile["archive"]["evidence"].update(head_every="1s",
                                                        publish_to=str(self.place))
        self.site.profile["sources"][0]["schedule"] = {"every": "1s"}
        self.site.write_profile()
        self.add_mail()
        with running(self.site.start("serve", stderr=subprocess.DEVNULL)) as service:
            wait_until(lambda: list(self.place.glob("*/0*1")), what="a published head")
            wait_until(self.timestamps, what="a timestamp")
            service.terminate()
            self.assertEqual(service.wait(30), 0)

    def test_heads_are_published_and_serve_as_kept_ones(self):
        self.evidence(publish_to=str(self.place))
        self.add_mail()
        self.site.sync()
        self.assertIn("no folder", self.status()["problems"][0])
        self.place.mkdir()
        self.site.sync()
        self.add_mail()
        self.site.sync()
        self.add_mail()
        self.site.sync()
        (folder,) = self.place.iterdir()
        published = sorted(p for p in folder.iterdir() if p.suffix != ".pem")
        self.assertEqual([p.name for p in published], [f"{n:020}" for n in (1, 2, 3)])
        for head, own in zip(published, self.heads()):
            self.assertEqual(head.read_bytes(), own.read_bytes())
        self.assertEqual((folder / "public-key.pem").read_text(),
                         self.site.json("key", "check")["public_key"])
        self.assertEqual(self.status()["publication"]["head"], 3)
        self.assertEqual(self.status()["problems"], [])
        for head in published:
            self.findings("--head", head, expect=0)

    def test_a_second_place_that_knows_more_than_the_archive_tells_so(self):
        self.place.mkdir()
        self.evidence(publish_to=str(self.place))
        self.add_mail()
        self.site.sync()
        copy = self.folder / "copy"
        shutil.copytree(self.site.folder, copy)
        self.add_mail()
        self.site.sync()
        for name in ("archive", "catalog"):
            shutil.rmtree(self.site.folder / name)
            shutil.copytree(copy / name, self.site.folder / name)
        self.add_mail()
        self.site.sync()
        self.assertIn("rewritten", self.status()["problems"][0])


if __name__ == "__main__":
    unittest.main()
