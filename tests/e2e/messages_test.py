"""Messages and their bytes: what the service does to them, and what the archive holds afterwards.

Tests that name a peer stand for a defect that another archiver is known for."""

import base64
import email
import email.policy
import json
import time
import unittest
import urllib.parse

from harness import ArchiverTest, Simulator

PARTS = b"""Received: from mx.fabrikam.example (192.0.2.1) by mx.contoso.example; Mon, 28 Sep 2026 21:03:10 +0000
DKIM-Signature: v=1; a=rsa-sha256; d=fabrikam.example; s=x; h=from:to:subject; bh=AAAA; b=BBBB
List-Unsubscribe: <https://fabrikam.example/u?x=1>
From: "Bo, from Fabrikam" <bo@fabrikam.example>
To: Anna Kos <anna.kos@contoso.example>
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_dem_B=C3=BCro?=
Date: Mon, 28 Sep 2026 21:03:05 +0000
Message-ID: <parts@fabrikam.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/related; boundary=inner

--inner
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

%s
--inner
Content-Type: image/png; name=logo.png
Content-Disposition: inline; filename=logo.png
Content-ID: <logo@fabrikam.example>
Content-Transfer-Encoding: base64

%s
--inner--
--outer
Content-Type: application/pdf; name="=?utf-8?Q?Pr=C3=BCfbericht.pdf?="
Content-Disposition: attachment; filename="=?utf-8?Q?Pr=C3=BCfbericht.pdf?="
Content-Transfer-Encoding: base64

%s
--outer
Content-Type: message/rfc822
Content-Disposition: attachment; filename=forwarded.eml

From: carl@contoso.example
Subject: inside
Message-ID: <inside@contoso.example>

a message within
--outer--
"""
HTML = "<p>Grüße</p><img src=\"cid:logo@fabrikam.example\">" * 30
PNG = bytes(range(256)) * 40
PDF = b"%PDF-1.7\n" + bytes(range(255, -1, -1)) * 3000


def with_parts():
    def encoded(data):
        return base64.encodebytes(data).strip()
    text = PARTS % (encoded(HTML.encode()), encoded(PNG), encoded(PDF))
    return text.replace(b"\n", b"\r\n")


def plain(subject, message_id, body):
    return (f"From: bo@fabrikam.example\r\nTo: anna.kos@contoso.example\r\nSubject: {subject}\r\n"
            f"Date: Mon, 28 Sep 2026 21:03:05 +0000\r\nMessage-ID: {message_id}\r\n\r\n{body}"
            ).encode()


class MessagesTest(ArchiverTest):
    def deliver(self, simulator, mime, user=None, folder="inbox"):
        return simulator.control("deliver", {
            "user": user or simulator.users()[0]["id"], "folder": folder,
            "mime_base64": base64.b64encode(mime).decode()})["messages"][0]

    def folder_id(self, simulator, well_known, user=0):
        return next(f for f in simulator.users()[user]["folders"]
                    if f["well_known"] == well_known)["id"]

    def message_in(self, simulator, well_known, user=0):
        folder = self.folder_id(simulator, well_known, user)
        return next(m for m in simulator.users()[user]["messages"]
                    if m["folder"] == folder and not m["deleted"])

    def damage(self, simulator, message, **how):
        simulator.control("damage", {"user": simulator.users()[0]["id"], "message": message["id"],
                                     **how})

    def last(self, simulator):
        return max((e["sequence"] for e in simulator.requests()), default=0)

    def versions(self, archive, message):
        """The manifest's lines of one message, and its file's bytes."""
        entries = self.fresh_export(archive)
        folder = archive.folder / f"export-{self.exports}"
        return [(e, (folder / e["path"]).read_bytes()) for e in entries
                if e["item"] == message["id"]]


class ReconstructionTest(MessagesTest):
    def read(self, data):
        message = email.message_from_bytes(data, policy=email.policy.default)
        for part in message.walk():
            self.assertEqual(part.defects, [], part.get_content_type())
        self.assertTrue(all(len(line) <= 998 for line in data.split(b"\r\n")))
        self.assertNotIn(b"\n", data.replace(b"\r\n", b""))
        return message

    def test_what_can_be_had_of_a_message_that_can_not_be_converted(self):
        """Field notes 0.3: `$value` fails for some items for good; metadata and attachments do not.
        Peer #1 and #3: one such message costs nothing but itself."""
        with Simulator("--users", 1, "--messages", 10) as simulator:
            archive = self.archive(simulator)
            bad = self.deliver(simulator, with_parts())
            self.damage(simulator, bad, mime=True)
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["items"]["reconstructed"], 1)
            self.assertEqual(report["items"]["new"], len(self.expected_messages(simulator)) - 1)
            self.assertEqual(report["status"], "attention")
            attempts = [e for e in simulator.requests("value")
                        if bad["id"] in urllib.parse.unquote(e["path"])]
            self.assertEqual(len(attempts), 1, "what fails for good is not tried again at once")

            failure, = archive.json("failures", expect=1)["failures"]
            self.assertEqual(failure["service_code"], "ErrorMimeContentConversionFailed")
            self.assertEqual(failure["item"], bad["id"])
            self.assertEqual(failure["archived"], "reconstructed")

            (entry, data), = self.versions(archive, bad)
            self.assertEqual(entry["fidelity"], "reconstructed")
            self.assertTrue(entry["in_mailbox"])
            self.assertEqual(entry["subject"], "Grüße aus dem Büro")
            self.assertEqual(entry["internet_message_id"], "<parts@fabrikam.example>")
            message = self.read(data)
            self.assertEqual(message["X-OpenArchiver-Reconstructed"],
                             "ErrorMimeContentConversionFailed")
            original = email.message_from_bytes(with_parts(), policy=email.policy.default)
            for name in ("Received", "DKIM-Signature", "List-Unsubscribe", "From", "To", "Subject",
                         "Date", "Message-ID"):
                self.assertEqual(message.get_all(name), original.get_all(name), name)
            html, = [p for p in message.walk() if p.get_content_type() == "text/html"]
            self.assertEqual(html.get_content(), HTML)
            logo, = [p for p in message.walk() if p.get_content_type() == "image/png"]
            self.assertEqual(logo["Content-ID"], "<logo@fabrikam.example>")
            self.assertEqual(logo.get_content_disposition(), "inline")
            self.assertEqual(logo.get_content(), PNG)
            pdf, = [p for p in message.walk() if p.get_content_type() == "application/pdf"]
            self.assertEqual(pdf.get_filename(), "Prüfbericht.pdf")
            self.assertEqual(pdf.get_content(), PDF)
            inner, = [p for p in message.walk() if p.get_content_type() == "message/rfc822"]
            self.assertEqual(inner.get_content()["Message-ID"], "<inside@contoso.example>")

            with self.subTest("another archive gets the same bytes"):
                other = self.archive(simulator, "other")
                other.sync(expect=1)
                (_, again), = self.versions(other, bad)
                self.assertEqual(data, again)

            with self.subTest("trying again in vain makes no version"):
                report = archive.json("failures", "--retry", expect=1)["sync"]["sources"][0]
                self.assertEqual(report["items"]["reconstructed"], 0)
                self.assertEqual(report["items"]["failed"], 1)
                self.assertEqual(len(self.versions(archive, bad)), 1)
                failure, = archive.json("failures", expect=1)["failures"]
                self.assertEqual(failure["attempts"], 2)

            with self.subTest("the exact bytes become the next version, where the message is now"):
                archived = self.folder_id(simulator, "archive")
                simulator.control("move", {"user": simulator.users()[0]["id"],
                                           "message": bad["id"], "folder": archived})
                archive.sync(expect=1)
                self.damage(simulator, bad)
                report = archive.json("failures", "--retry")["sync"]["sources"][0]
                self.assertEqual(report["items"]["changed"], 1)
                (first, kept), (second, exact) = self.versions(archive, bad)
                self.assertEqual(kept, data)
                self.assertEqual(exact, with_parts())
                self.assertEqual([first["fidelity"], second["fidelity"]],
                                 ["reconstructed", "exact"])
                self.assertEqual(second["folders"], [["Archive"]])
                self.assertEqual(archive.json("failures")["failures"], [])
                self.assertEqual(archive.sync()["status"], "active")
                self.assert_archived(simulator, archive)

            with self.subTest("a rebuilt catalog says the same"):
                before = self.fresh_export(archive)
                archive.run("rebuild")
                self.assertEqual(before, self.fresh_export(archive))
                archive.run("verify")

    def test_only_the_metadata_can_be_had(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            bad = self.deliver(simulator, with_parts())
            self.damage(simulator, bad, mime=True, body=True)
            simulator.control("faults", {
                "match": {"route": "attachments", "path_contains": "BEgAQA1/"},
                "action": {"status": 500, "code": "ErrorCannotOpenFileAttachment"}})
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["reconstructed"], 1)
            (_, data), = self.versions(archive, bad)
            message = self.read(data)
            self.assertEqual(message["From"].addresses[0].addr_spec, "bo@fabrikam.example")
            self.assertEqual(message["From"].addresses[0].display_name, "Bo, from Fabrikam")
            self.assertIn("anna.kos@contoso.example", message["To"])
            self.assertEqual(message["Subject"], "Grüße aus dem Büro")
            self.assertEqual(message["Message-ID"], "<parts@fabrikam.example>")
            self.assertIsNotNone(message["Date"].datetime)
            missing, = [p for p in message.walk() if p["X-OpenArchiver-Missing"]]
            self.assertEqual(missing["X-OpenArchiver-Missing"], "ErrorCannotOpenFileAttachment")
            self.assertEqual(missing.get_filename(), "Prüfbericht.pdf")
            logo, = [p for p in message.walk() if p.get_content_type() == "image/png"]
            self.assertEqual(logo.get_content(), PNG)

    def test_not_even_the_metadata_can_be_had(self):
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            bad = self.deliver(simulator, with_parts())
            self.damage(simulator, bad, mime=True)
            simulator.control("faults", {"match": {"route": "message", "message": bad["id"]},
                                         "action": {"status": 500, "code": "ErrorCorruptData"}})
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["failed"], 1)
            self.assertEqual(report["items"]["reconstructed"], 0)
            self.assertEqual(self.versions(archive, bad), [])
            failure, = archive.json("failures", expect=1)["failures"]
            self.assertIsNone(failure["archived"])

            with self.subTest("once it can, it is reconstructed by the failure's own retry"):
                simulator.control("faults", method="DELETE")
                archive.json("failures", "--retry", expect=1)
                (entry, _), = self.versions(archive, bad)
                self.assertEqual(entry["fidelity"], "reconstructed")

    def test_throttling_in_the_middle_of_a_reconstruction_is_waited_for(self):
        with Simulator("--users", 1, "--messages", 3) as simulator:
            archive = self.archive(simulator)
            bad = self.deliver(simulator, with_parts())
            self.damage(simulator, bad, mime=True)
            for nth in (1, 3):
                simulator.control("faults", {
                    "match": {"route": "attachments", "nth": nth}, "times": 1,
                    "action": {"status": 429, "headers": {"Retry-After": "1"}}})
            simulator.control("faults", {"match": {"route": "attachments", "nth": 2}, "times": 1,
                                         "action": {"close_after_bytes": 300}})
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["reconstructed"], 1)
            (_, data), = self.versions(archive, bad)
            pdf, = [p for p in self.read(data).walk() if p.get_content_type() == "application/pdf"]
            self.assertEqual(pdf.get_content(), PDF)


class OverQuotaTest(MessagesTest):
    def test_a_full_mailbox_is_listed_whole_until_it_tells_changes_again(self):
        with Simulator("--users", 1, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]["id"]
            archive.sync()
            simulator.control("users", {"op": "set", "user": user, "mailbox": "quota"})
            inbox = self.folder_id(simulator, "inbox")
            mails = [m for m in simulator.users()[0]["messages"] if m["folder"] == inbox]
            simulator.control("deliver", {"user": user, "folder": "inbox", "count": 3})
            simulator.control("move", {"user": user, "message": mails[0]["id"],
                                       "folder": "archive"})
            simulator.control("delete", {"user": user, "message": mails[1]["id"]})
            before = self.last(simulator)
            report = archive.sync()
            self.assertEqual(report["items"]["new"], 3)
            self.assertEqual(report["items"]["moved"], 1)
            self.assertEqual(report["items"]["left"], 1)
            self.assertEqual(len(simulator.requests("value", since=before)), 3)
            account, = archive.json("accounts")["accounts"]
            self.assertIn("quota", account["reason"])

            with self.subTest("once there is room, changes are followed again"):
                simulator.control("users", {"op": "set", "user": user, "mailbox": "enabled"})
                simulator.control("deliver", {"user": user, "folder": "inbox", "count": 2})
                before = self.last(simulator)
                self.assertEqual(archive.sync()["items"]["new"], 2)
                self.assertEqual(simulator.requests("messages", since=before), [])
                account, = archive.json("accounts")["accounts"]
                self.assertEqual(account["reason"], "")
                self.assert_archived(simulator, archive)

    def test_a_mailbox_that_is_full_from_the_start_is_imported(self):
        for how in ("quota", "unsupported"):
            with self.subTest(how), Simulator("--users", 1, "--messages", 60) as simulator:
                archive = self.archive(simulator, how)
                user = simulator.users()[0]["id"]
                expected = len(self.expected_messages(simulator))
                if how == "quota":
                    simulator.control("users", {"op": "set", "user": user, "mailbox": "quota"})
                else:
                    simulator.control("settings", {"delta_supported": False})
                self.assertEqual(archive.sync()["items"]["new"], expected)
                before = self.last(simulator)
                report = archive.sync()
                self.assertEqual(report["items"]["new"], 0)
                self.assertEqual(report["items"]["unchanged"], expected)
                self.assertEqual(simulator.requests("value", since=before), [])
                self.assertIn("listed whole", archive.json("accounts")["accounts"][0]["reason"])
                simulator.control("users", {"op": "set", "user": user, "mailbox": "enabled"})
                self.assert_archived(simulator, archive)


class DamagedPageTest(MessagesTest):
    """Field notes 21 and 31: a page fails because of one message on it."""

    def test_a_message_that_shows_only_its_id_is_archived_with_all_others(self):
        with Simulator("--users", 1, "--messages", 100) as simulator:
            archive = self.archive(simulator)
            self.damage(simulator, self.message_in(simulator, "inbox"), fields=True)
            report = archive.sync()
            self.assertEqual(report["items"]["failed"], 0)
            self.assert_archived(simulator, archive)

            with self.subTest("what comes later is found as well, and nothing is fetched twice"):
                simulator.control("deliver", {"user": simulator.users()[0]["id"],
                                              "folder": "inbox", "count": 3})
                before = self.last(simulator)
                self.assertEqual(archive.sync()["items"]["new"], 3)
                self.assertEqual(len(simulator.requests("value", since=before)), 3)
                self.assert_archived(simulator, archive)

    def test_a_message_that_no_page_shows_is_a_failure_of_its_folder_alone(self):
        with Simulator("--users", 1, "--messages", 120) as simulator:
            archive = self.archive(simulator)
            simulator.control("settings", {"page_size_max": 10})
            bad = self.message_in(simulator, "inbox")
            self.damage(simulator, bad, listing=True)
            expected = len(self.expected_messages(simulator))
            report = archive.sync(expect=1)
            self.assertEqual(report["items"]["new"], expected - 1)
            self.assertEqual(report["status"], "attention")
            failure, = archive.json("failures", expect=1)["failures"]
            self.assertEqual(failure["kind"], "folder")
            self.assertEqual(failure["folder"], ["Inbox"])
            self.assertIn("1 of its messages", failure["message"])
            self.assertLess(len(simulator.requests("messages")), 40)

            with self.subTest("new mail keeps coming"):
                simulator.control("deliver", {"user": simulator.users()[0]["id"],
                                              "folder": "inbox", "count": 3})
                self.assertEqual(archive.sync(expect=1)["items"]["new"], 3)

            with self.subTest("once it is repaired, it is archived and the failure is gone"):
                self.damage(simulator, bad)
                report = archive.sync()
                self.assertEqual(report["items"]["new"], 1)
                self.assertEqual(report["status"], "active")
                self.assert_archived(simulator, archive)


class ReconcileTest(MessagesTest):
    def boomerang(self, simulator, archive):
        """Peer #12, field notes 0.4: a message moved away and back is told as removed only."""
        user = simulator.users()[0]["id"]
        message = self.message_in(simulator, "inbox")
        simulator.control("settings", {"immutable_loss": True})
        for folder in ("archive", "inbox"):
            simulator.control("move", {"user": user, "message": message["id"], "folder": folder})
        archive.sync()
        (entry, _), = self.versions(archive, message)
        self.assertFalse(entry["in_mailbox"], "the delta says that it left")
        return message

    def test_sync_reconcile_finds_what_a_delta_lost(self):
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            self.boomerang(simulator, archive)
            before = self.last(simulator)
            report = archive.sync("--reconcile")
            self.assertEqual(report["items"]["new"], 0)
            self.assertEqual(simulator.requests("value", since=before), [])
            self.assert_archived(simulator, archive)

    def test_each_folder_is_listed_anew_in_its_turn(self):
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            message = self.boomerang(simulator, archive)
            archive.sync()
            (entry, _), = self.versions(archive, message)
            self.assertFalse(entry["in_mailbox"], "by default a month goes by")
            archive.profile["sources"][0]["schedule"]["reconcile_every"] = "1s"
            archive.write_profile()
            time.sleep(1.1)
            before = self.last(simulator)
            archive.sync()
            self.assertEqual(simulator.requests("value", since=before), [])
            self.assert_archived(simulator, archive)


class ChangeTokenTest(MessagesTest):
    EXPIRED = {"status": 410, "code": "SyncStateNotFound",
               "message": "The sync state generation is not found; generation=108;[highest=143]."}

    def import_with(self, *rules, expect=0):
        """An import, and a later sync, under rules that concern change tokens."""
        simulator = self.enterContext(Simulator("--users", 1, "--messages", 120))
        archive = self.archive(simulator)
        simulator.control("settings", {"page_size_max": 7})
        for rule in rules:
            simulator.control("faults", rule)
        report = archive.sync(expect=expect)
        return simulator, archive, report

    def assert_once(self, simulator, archive):
        self.assert_archived(simulator, archive)
        self.assertEqual(simulator.metrics()["value_repeated"], {})

    def test_expired_in_the_middle_of_a_walk(self):
        simulator, archive, _ = self.import_with(
            {"match": {"route": "delta", "path_contains": "skiptoken", "nth": 3}, "times": 1,
             "action": self.EXPIRED})
        self.assert_once(simulator, archive)

    def test_expired_again_in_the_walk_that_began_anew(self):
        simulator, archive, _ = self.import_with(
            {"match": {"route": "delta", "path_contains": "skiptoken"}, "times": 2,
             "action": self.EXPIRED})
        self.assert_once(simulator, archive)

    def test_expired_again_and_again_ends(self):
        """Corso listed anew for ever."""
        simulator, archive, _ = self.import_with(
            {"match": {"route": "delta", "path_contains": "skiptoken"}, "action": self.EXPIRED},
            expect=1)
        folders = len(simulator.users()[0]["folders"])
        self.assertLess(len(simulator.requests("delta")), 10 * folders)
        simulator.control("faults", method="DELETE")
        archive.sync()
        self.assert_once(simulator, archive)

    def test_all_the_ways_to_say_it(self):
        ways = [dict(self.EXPIRED, status=400), {"status": 404, "code": "syncStateInvalid"},
                {"status": 410, "code": "resyncRequired"}, {"status": 410, "empty_body": True},
                {"status": 400, "code": "badRequest", "inner_code": "SYNCSTATEnotFOUND"},
                {"status": 400, "code": "RequestBroker--ParseUri"}]
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            for number, way in enumerate(ways):
                with self.subTest(str(way)):
                    simulator.control("faults", method="DELETE")
                    simulator.control("faults", {
                        "match": {"route": "delta", "path_contains": "deltatoken"},
                        "action": way})
                    simulator.control("deliver", {"user": simulator.users()[0]["id"],
                                                  "folder": "inbox"})
                    self.assertEqual(archive.sync()["items"]["new"], 1)
                    self.assert_once(simulator, archive)

    def test_the_location_of_a_reset_is_not_asked_elsewhere(self):
        stranger = self.enterContext(Simulator())
        with Simulator("--users", 1, "--messages", 20) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            simulator.control("faults", {
                "match": {"route": "delta", "path_contains": "deltatoken"},
                "action": dict(self.EXPIRED,
                               headers={"Location": stranger.url + "/v1.0/users?$deltatoken="})})
            archive.sync()
            self.assertEqual(stranger.requests(), [])
            self.assert_once(simulator, archive)

    def test_links_are_used_as_they_came(self):
        """Peer #17: options added to a link that has them already."""
        simulator, archive, _ = self.import_with()
        onward = [e["path"] for e in simulator.requests("delta") if "token" in e["path"]]
        self.assertTrue(onward)
        for path in onward:
            self.assertNotIn("select", path)
            self.assertEqual(path.count("token="), 1)
        self.assert_once(simulator, archive)


class LinksTest(MessagesTest):
    def links_of(self, action, expect, times=0, **match):
        """A sync under a rule for links, then one without. The first one's report."""
        with Simulator("--users", 1, "--messages", 60) as simulator:
            archive = self.archive(simulator, f"site-{len(list(self.folder.iterdir()))}")
            simulator.control("settings", {"page_size_max": 10})
            simulator.control("faults", {"match": {"route": "delta", **(match or {"nth": 2})},
                                         "times": times, "action": action})
            report = archive.sync(expect=expect)
            self.assertLess(len(simulator.requests("delta")), 600)
            simulator.control("faults", method="DELETE")
            archive.sync()
            self.assert_archived(simulator, archive)
            self.assertEqual(simulator.metrics()["value_repeated"], {})
            return report

    def test_links_that_lead_elsewhere_or_nowhere_are_refused(self):
        stranger = self.enterContext(Simulator())
        links = [stranger.url + "/v1.0/users?x=1", stranger.url.replace("http:", "ftp:"),
                 "//" + stranger.url.split("//")[1] + "/v1.0/users",
                 "/v1.0/users?x=1", "users?x=1", "not a link", "https://",
                 "http://graph@" + stranger.url.split("//")[1] + "/v1.0/x", "x" * 60000]
        for link in links:
            with self.subTest(link[:60]):
                report = self.links_of({"next_link": link}, expect=1, times=1)
                self.assertEqual(report["accounts"]["failed"], 1)
                self.assertGreater(report["items"]["new"], 0, "other folders go on")
        self.assertEqual(stranger.requests(), [])

    def test_a_redirect_is_not_followed(self):
        stranger = self.enterContext(Simulator())
        self.links_of({"redirect": stranger.url + "/v1.0/users"}, expect=None, times=1)
        self.assertEqual(stranger.requests(), [])

    def test_a_page_without_a_link_and_one_with_both(self):
        self.links_of({"drop_links": True}, expect=1, times=1)
        self.links_of({"both_links": True}, expect=0)

    def test_the_same_page_without_end(self):
        """Walks that never end, under one link or each time under another."""
        for loop in ("same", "changing"):
            self.links_of({"loop": loop}, expect=1, path_contains="skiptoken")


class AtLeastOnceTest(MessagesTest):
    def test_messages_told_twice_are_archived_once(self):
        with Simulator("--users", 1, "--messages", 60) as simulator:
            archive = self.archive(simulator)
            simulator.control("settings", {"page_size_max": 10, "replay": 25,
                                           "empty_pages": True})
            simulator.control("faults", {"match": {"route": "delta"},
                                         "action": {"duplicate_items": True}})
            archive.sync()
            simulator.control("deliver", {"user": simulator.users()[0]["id"], "folder": "inbox",
                                          "count": 2})
            self.assertEqual(archive.sync()["items"]["new"], 2)
            self.assert_archived(simulator, archive)
            self.assertEqual(simulator.metrics()["value_repeated"], {})

    def test_here_and_gone_on_one_page(self):
        """Whichever comes first, the message itself tells where it is; and what left is kept."""
        for order in ("first", "last"):
            with self.subTest(order), Simulator("--users", 1, "--messages", 20) as simulator:
                archive = self.archive(simulator, order)
                inbox = self.folder_id(simulator, "inbox")
                here = [m["id"] for m in simulator.users()[0]["messages"] if m["folder"] == inbox]
                self.assertTrue(here)
                removed = [{"@odata.type": "#microsoft.graph.message", "id": id,
                            "@removed": {"reason": "changed"}} for id in [*here, "never-seen"]]
                simulator.control("faults", {
                    "match": {"route": "delta", "path_contains": inbox},
                    "action": {f"{order}_items": removed}})
                archive.sync()
                self.assertTrue(all(r["fired"] for r in simulator.control("faults")["rules"]))
                self.assert_archived(simulator, archive)
                self.assertEqual(simulator.metrics()["value_repeated"], {})

    def test_flags_and_moves_cost_no_download(self):
        """Peer #11: what happens to a message later is recorded."""
        with Simulator("--users", 1, "--messages", 30) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            user = simulator.users()[0]["id"]
            simulator.control("settings", {"partial_flips": True})
            message = self.message_in(simulator, "inbox")
            simulator.control("touch", {"user": user, "message": message["id"]})
            moved = self.message_in(simulator, "sentitems")
            simulator.control("move", {"user": user, "message": moved["id"], "folder": "archive"})
            before = self.last(simulator)
            report = archive.sync()
            self.assertEqual(report["items"]["moved"], 1)
            self.assertEqual(report["items"]["changed"], 0)
            self.assertEqual(simulator.requests("value", since=before), [])
            self.assert_archived(simulator, archive)

    def test_a_draft_first_told_in_part_has_its_later_version(self):
        """Such an entry has no tag: the first whole one may stand for other bytes."""
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]["id"]
            simulator.control("deliver", {"user": user, "folder": "drafts", "draft": True})
            draft = self.message_in(simulator, "drafts")
            simulator.control("faults", {
                "match": {"route": "delta", "path_contains": self.folder_id(simulator, "inbox")},
                "times": 1, "action": {"last_items": [{"id": draft["id"], "isRead": True}]}})
            archive.sync()
            self.assertEqual(len(self.versions(archive, draft)), 1)
            simulator.control("send-draft", {"user": user, "message": draft["id"]})
            archive.sync()
            self.assertEqual(len(self.versions(archive, draft)), 2)
            self.assert_archived(simulator, archive)
            before = self.last(simulator)
            archive.sync("--reconcile")
            self.assertEqual(simulator.requests("value", since=before), [])

    def test_two_messages_with_one_message_id_are_two(self):
        """Peer #340: the sender's Message-ID decided what was kept."""
        with Simulator("--users", 1, "--messages", 0) as simulator:
            archive = self.archive(simulator)
            for body in ("first", "second"):
                self.deliver(simulator, plain("same", "<same@fabrikam.example>", body))
            self.deliver(simulator, b"Subject: none at all\r\n\r\nx")
            archive.sync()
            self.assertEqual(len(self.assert_archived(simulator, archive)),
                             len(self.expected_messages(simulator)))

    def test_drafts_that_are_left_out_are_not_downloaded(self):
        """Peer #8: each saved draft was downloaded and thrown away."""
        with Simulator("--users", 1, "--messages", 5) as simulator:
            archive = self.archive(simulator)
            user = simulator.users()[0]["id"]
            simulator.control("deliver", {"user": user, "folder": "drafts", "draft": True,
                                          "count": 3})
            archive.sync()
            drafts = {m["id"] for m in simulator.users()[0]["messages"]
                      if m["folder"] == self.folder_id(simulator, "drafts")}
            self.assertTrue(drafts)
            asked = [urllib.parse.unquote(e["path"]) for e in simulator.requests("value")]
            self.assertEqual([p for p in asked for d in drafts if d in p], [])
            self.assertEqual([e for e in simulator.requests("delta")
                              if self.folder_id(simulator, "drafts") in e["path"]], [])

            with self.subTest("a draft within another folder is what that folder holds"):
                simulator.control("deliver", {"user": user, "folder": "inbox", "draft": True})
                self.assertEqual(archive.sync()["items"]["new"], 1)
                self.assert_archived(simulator, archive)


class ContentTest(MessagesTest):
    def test_bytes_that_are_no_text_come_back_as_they_were(self):
        odd = [b"Subject: bare\n\nline feeds\n", b"Subject: nul\r\n\r\na\0b\x80\xff\r\n",
               b"Subject: \xe4\xf6\r\n\r\nno end of line", b"\r\n\r\n", b"no header at all",
               b"Subject: returns\r\rx\r"]
        with Simulator("--users", 1, "--messages", 0) as simulator:
            archive = self.archive(simulator)
            for mime in odd:
                self.deliver(simulator, mime)
            archive.sync()
            self.assert_archived(simulator, archive)

    def test_what_comes_in_a_messages_place_is_never_archived(self):
        error = {"error": {"code": "ErrorInternalServerError", "message": "x"}}
        faults = [{"body": json.dumps(error, separators=(",", ":"))},
                  {"html": True, "status": 200}, {"empty_body": True, "status": 200},
                  {"headers": {"Content-Encoding": "gzip"}},
                  {"close_after_bytes": 100}, {"short_content_length": 3},
                  {"no_response": True}, {"status": 404, "empty_body": True}]
        with Simulator("--users", 1, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            for number, action in enumerate(faults):
                simulator.control("faults", {"match": {"route": "value", "nth": 2 + number},
                                             "times": 1, "action": action})
            report = archive.sync()
            self.assertEqual(report["items"]["failed"], 0)
            fired = [f for f in simulator.control("faults")["rules"] if f["fired"]]
            self.assertEqual(len(fired), len(faults))
            self.assert_archived(simulator, archive)

    def test_a_message_of_150_megabytes(self):
        """Peer #13: a limit of two minutes, and the whole message in memory."""
        with Simulator("--users", 1, "--messages", 3, "--large-bytes", 150_000_000) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            self.assert_archived(simulator, archive)


if __name__ == "__main__":
    unittest.main(verbosity=2)
