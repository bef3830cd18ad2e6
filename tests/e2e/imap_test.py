"""Mailboxes on a real IMAP server, archived: everything once, bit for bit, whatever happens on the way."""

import hashlib
import http.server
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "services"))

from harness import Archive, ArchiverTest, running, wait_until
from imap_mailbox import Mailbox, Server, message
from imap_proxy import GMAIL, ImapProxy, answer, cut, cut_answer_after, delay, first, say

SERVER = Server(os.environ["OPENARCHIVER_DOVECOT"])


class ImapTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.user = SERVER.new_user()
        self.mailbox = self.open(self.user)

    def open(self, user):
        mailbox = Mailbox(SERVER, user)
        self.addCleanup(mailbox.close)
        return mailbox

    def proxy(self, **options):
        proxy = ImapProxy("127.0.0.1", SERVER.port, **options)
        self.enterContext(proxy)
        return proxy

    def site(self, port=None, name="site", **changes):
        """Over TLS, or through a proxy."""
        config = {"host": "localhost", "port": SERVER.tls_port, "ca_file": SERVER.ca_file,
                  "user": self.user, "password": SERVER.password}
        if port:
            config |= {"port": port, "security": "none"}
        config |= changes
        config = {key: value for key, value in config.items() if value is not None}
        return Archive(self.folder / name, config, provider="imap")

    def on_server(self, *folders):
        return sorted(hashlib.sha256(content).hexdigest()
                      for folder in folders for content in self.mailbox.contents(folder))

    def archived(self, archive):
        return self.fresh_export(archive)

    def assert_archived(self, archive, *folders):
        entries = [e for e in self.archived(archive) if e["in_mailbox"]]
        self.assertEqual(sorted(e["sha256"] for e in entries), self.on_server(*folders))
        return entries

    def fill(self, count=40, folder="INBOX", size=0):
        for number in range(count):
            self.mailbox.append(folder, message(f"{folder}-{number}", "x" * size))


class Following(ImapTest):
    def check_following(self, **changes):
        odd = random.Random(1)
        self.mailbox.make("Projects/Rome")
        self.mailbox.make("Entw&APw-rfe")
        self.fill(30)
        self.fill(3, "Projects/Rome")
        self.mailbox.append("Entw&APw-rfe", b"Subject: \xff\xfe caf\xe9\r\n\r\n" +
                            bytes(odd.randrange(1, 256) for _ in range(5000)).replace(b"\n", b"\r\n"))
        self.mailbox.append("INBOX", message("large", "y" * 76 + "\r\n" * 40_000))
        self.mailbox.append("Drafts", message("draft"))
        folders = ("INBOX", "Projects/Rome", "Entw&APw-rfe")
        archive = self.site(**changes)
        document = archive.sync()
        self.assertEqual(document["items"]["new"], 35, document)
        self.assertEqual(document["status"], "active")
        entries = self.assert_archived(archive, *folders)
        self.assertIn([["Projects", "Rome"]], [e["folders"] for e in entries])
        self.assertIn([["Entw\u00fcrfe"]], [e["folders"] for e in entries])
        self.assertEqual({e["account"] for e in entries}, {self.user})

        again = archive.sync()
        self.assertEqual((again["items"]["new"], again["items"]["left"], again["bytes_downloaded"]), (0, 0, 0))

        self.mailbox.append("INBOX", message("later"))
        self.mailbox.flag("INBOX", "3")
        self.mailbox.delete("INBOX", "5,9:12")
        changed = archive.sync()
        self.assertEqual((changed["items"]["new"], changed["items"]["left"]), (1, 5), changed)
        self.assert_archived(archive, *folders)
        self.assertEqual(len(self.archived(archive)), 36)
        return archive, folders

    def test_what_comes_and_leaves_with_ids_that_keep_over_moves(self):
        archive, folders = self.check_following()
        self.mailbox.move("INBOX", "1", "Projects/Rome")
        self.mailbox.copy("INBOX", "2", "Projects/Rome")
        moved = archive.sync()
        self.assertEqual((moved["items"]["new"], moved["items"]["left"], moved["bytes_downloaded"]), (0, 0, 0), moved)
        # The copy is one item in two folders.
        both = [e for e in self.archived(archive) if len(e["folders"]) == 2]
        self.assertEqual(len(both), 1)
        self.mailbox.rename("Projects/Rome", "Rome")
        self.mailbox.imap.unselect()
        SERVER.doveadm("mailbox", "update", "-u", self.user, "--uid-validity", "2000000001", "INBOX")
        anew = archive.sync()
        self.assertEqual((anew["items"]["new"], anew["items"]["left"], anew["bytes_downloaded"]), (0, 0, 0), anew)
        self.assertIn([["Rome"]], [e["folders"] for e in self.archived(archive)])
        archive.run("verify")

    def test_what_comes_and_leaves_by_uid(self):
        archive, folders = self.check_following(item_ids="uid")
        self.mailbox.move("INBOX", "1", "Projects/Rome")
        moved = archive.sync()
        self.assertEqual((moved["items"]["new"], moved["items"]["left"]), (1, 1), moved)
        self.assert_archived(archive, *folders)
        self.mailbox.imap.unselect()
        SERVER.doveadm("mailbox", "update", "-u", self.user, "--uid-validity", "2000000001", "INBOX")
        anew = archive.sync()
        self.assertEqual(anew["items"]["new"], anew["items"]["left"], anew)
        self.assertGreater(anew["items"]["new"], 20)
        self.assert_archived(archive, *folders)

    def test_a_server_with_no_extensions(self):
        proxy = self.proxy(hide="QRESYNC CONDSTORE ESEARCH LIST-STATUS LIST-EXTENDED SPECIAL-USE NAMESPACE ID LITERAL+ "
                                "SASL-IR ENABLE AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2".split())
        self.check_following(port=proxy.port, host="127.0.0.1")
        self.assertGreater(proxy.count(r"^A\d+ LOGIN "), 0)
        self.assertEqual(proxy.count("CONDSTORE|RETURN|AUTHENTICATE"), 0)

    def test_quiet_folders_are_not_opened(self):
        self.fill(5)
        for name in ("a", "b", "c"):
            self.mailbox.make(name)
            self.fill(2, name)
        proxy = self.proxy()
        archive = self.site(proxy.port)
        archive.sync()
        opened, opened_b = proxy.count("EXAMINE"), proxy.count('EXAMINE "b"')
        archive.sync()
        self.assertEqual(proxy.count("EXAMINE"), opened)
        self.mailbox.append("b", message("news"))
        self.assertEqual(archive.sync()["items"]["new"], 1)
        self.assertGreater(proxy.count("EXAMINE"), opened)
        self.assertEqual(proxy.count("EXAMINE") - opened, proxy.count('EXAMINE "b"') - opened_b)

    def test_nothing_becomes_read(self):
        self.fill(3)
        self.site().sync()
        self.mailbox.select("INBOX")
        self.assertEqual(self.mailbox.ok(self.mailbox.imap.uid("SEARCH", "SEEN")), [b""])

    def test_many_messages_with_gaps(self):
        self.fill(700)
        self.mailbox.delete("INBOX", ",".join(str(uid) for uid in range(2, 700, 3)))
        for ids in ("stable", "uid"):
            archive = self.site(name=ids, item_ids=ids)
            archive.sync()
            self.assert_archived(archive, "INBOX")


class SigningIn(ImapTest):
    def failure_of(self, archive, code):
        report = archive.json("source", "check", "contoso", expect=code)
        return next(check for check in report["checks"] if check["outcome"] == "fail")

    def test_starttls(self):
        self.fill(2)
        archive = self.site(security="starttls", port=SERVER.port)
        archive.profile["sources"][0]["config"]["security"] = "starttls"
        archive.write_profile()
        archive.sync()
        self.assert_archived(archive, "INBOX")

    def test_a_wrong_password_is_told_and_not_repeated(self):
        archive = self.site(password="wrong-password-of-anna")
        done = archive.run("sync", expect=3)
        self.assertNotIn(b"wrong-password-of-anna", done.stdout + done.stderr)
        check = self.failure_of(archive, 3)
        self.assertEqual(check["name"], "signed in")
        self.assertIn("AUTHENTICATIONFAILED", check["detail"])
        self.assertIn("application password", check["remedy"])

    def test_a_certificate_that_is_not_trusted(self):
        check = self.failure_of(self.site(ca_file=None), 7)
        self.assertEqual(check["name"], "server reachable")
        self.assertIn("ca_file", check["remedy"])

    def test_a_certificate_of_another_host(self):
        proxy = self.proxy(certificate=SERVER.certificate, key=SERVER.key)
        # The certificate is for localhost and 127.0.0.1.
        check = self.failure_of(self.site(proxy.port, security="tls", host="0.0.0.0"), 7)
        self.assertIn("not trusted", check["detail"])

    def test_a_certificate_that_has_expired(self):
        proxy = self.proxy(certificate=SERVER.expired_certificate, key=SERVER.key)
        archive = self.site(proxy.port, security="tls")
        archive.run("sync", expect=7)
        self.assertIn("expired", self.failure_of(archive, 7)["detail"])

    def test_nobody_answers(self):
        proxy = self.proxy()
        proxy.break_down()
        archive = self.site(proxy.port)
        archive.run("sync", expect=7)
        self.assertEqual(self.failure_of(archive, 7)["name"], "server reachable")

    def test_no_imap_server(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            pass
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            proxy = self.proxy()
            proxy.upstream = server.server_address
            proxy.rule("CAPABILITY", say(b"HTTP/1.1 400 Bad Request\r\n"), times=99)
            check = self.failure_of(Archive(self.folder / "site", {
                "host": "127.0.0.1", "port": proxy.port, "security": "starttls", "user": "u", "password": "p"},
                provider="imap"), 7)
            server.shutdown()
        self.assertEqual(check["name"], "server reachable")

    def test_a_master_user_reads_the_mailboxes_of_others(self):
        users = [SERVER.new_user("anna"), SERVER.new_user("bo")]
        for user in users:
            self.open(user).append("INBOX", message(user))
        for separator in ("*", None):
            archive = self.site(name=f"site-{separator}", user="master", password="master-pw", accounts=users,
                                master_separator=separator)
            archive.sync()
            self.assertEqual(sorted(e["account"] for e in self.archived(archive)), sorted(users))

    def test_a_mailbox_that_refuses_the_master_user_is_a_state(self):
        users = [SERVER.new_user("anna"), SERVER.new_user("bo")]
        self.open(users[0]).append("INBOX", message("anna"))
        proxy = self.proxy()
        proxy.rule(r"\bLOGIN \"bo", answer("NO [AUTHORIZATIONFAILED] not for you"), times=99)
        proxy.hide = [b"AUTH=PLAIN", b"AUTH=LOGIN"]
        archive = self.site(proxy.port, user="master", password="master-pw", accounts=users, master_separator="*")
        document = archive.sync()
        self.assertEqual((document["accounts"]["up_to_date"], document["accounts"]["closed_by_policy"]), (1, 1))

    def test_an_access_token(self):
        self.fill(2)
        archive = self.site(password=None, access_token="good-token")
        archive.sync()
        self.assert_archived(archive, "INBOX")
        archive = self.site(name="other", password=None, access_token="bad-token")
        self.assertNotIn(b"bad-token", archive.run("sync", expect=3).stderr)

    def test_tokens_come_from_an_endpoint_and_refresh_tokens_rotate(self):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                token = "stale-token" if len(asked) == 1 else "good-token"
                body = json.dumps({"access_token": token, "expires_in": 3600,
                                   "refresh_token": f"refresh-{len(asked)}"}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.fill(2)
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            archive = self.site(password=None, oauth={
                "token_url": f"http://127.0.0.1:{server.server_port}/token", "client_id": "me",
                "refresh_token": "refresh-0", "scope": "https://mail.example/"})
            archive.sync()
            archive.sync()
            server.shutdown()
        self.assert_archived(archive, "INBOX")
        self.assertEqual([form.split("refresh_token=")[-1].split("&")[0] for form in asked],
                         ["refresh-0", "refresh-1", "refresh-2"])


class Watching(ImapTest):
    """In the service, new mail is there long before the schedule would find it."""

    def serve(self, archive, every="1h"):
        archive.profile["sources"][0]["schedule"] = {"every": every}
        archive.write_profile()
        log = self.enterContext(open(archive.folder / "service.log", "wb"))
        service = self.enterContext(running(archive.start("serve", stdout=log, stderr=log)))
        return service

    def items(self, archive):
        return archive.json("status", expect=None)["sources"][0].get("items", 0)

    def wait_for_items(self, archive, count):
        started = time.monotonic()
        wait_until(lambda: self.items(archive) == count, what=f"{count} items")
        return time.monotonic() - started

    def test_new_mail_is_archived_within_seconds(self):
        self.fill(3)
        archive = self.site()
        service = self.serve(archive)
        self.wait_for_items(archive, 3)
        for count in (4, 5):
            time.sleep(6)  # runs are five seconds apart at least
            self.mailbox.append("INBOX", message(f"news-{count}"))
            print(f"\narchived after {self.wait_for_items(archive, count):.1f} s")
        self.mailbox.delete("INBOX", "1")
        wait_until(lambda: len([e for e in self.archived(archive) if e["in_mailbox"]]) == 4, what="what left is seen")
        service.terminate()
        self.assertEqual(service.wait(20), 0)

    def test_a_poll_sees_what_came_though_connections_are_kept(self):
        self.fill(3)
        for hidden in ([], ["UNSELECT"]):
            count = len(self.on_server("INBOX"))
            archive = self.site(self.proxy(hide=hidden).port, name=f"site-{count}", watch={"folders": []})
            service = self.serve(archive, every="1s")
            self.wait_for_items(archive, count)
            for more in range(1, 4):
                self.mailbox.append("INBOX", message(f"news-{count}-{more}"))
                self.wait_for_items(archive, count + more)
            service.terminate()
            self.assertEqual(service.wait(20), 0)

    def test_only_the_account_with_news_is_looked_at(self):
        users = [SERVER.new_user("anna"), SERVER.new_user("bo")]
        boxes = [self.open(user) for user in users]
        for box in boxes:
            box.append("INBOX", message("first"))
        proxy = self.proxy(hide=["AUTH=PLAIN", "AUTH=LOGIN"])
        archive = self.site(proxy.port, user="master", password="master-pw", accounts=users, master_separator="*")
        self.serve(archive)
        self.wait_for_items(archive, 2)
        wait_until(lambda: proxy.count(" IDLE") >= 2, what="both are watched")
        listed = proxy.count(" LIST ")
        boxes[1].append("INBOX", message("news"))
        self.wait_for_items(archive, 3)
        self.assertEqual(proxy.count(" LIST ") - listed, 1)

    def test_a_connection_that_breaks_is_made_again_and_nothing_is_missed(self):
        self.fill(3)
        proxy = self.proxy()
        archive = self.site(proxy.port)
        self.serve(archive)
        self.wait_for_items(archive, 3)
        wait_until(lambda: proxy.count(" IDLE") >= 1, what="it waits for news")
        proxy.break_down()
        self.mailbox.append("INBOX", message("news"))
        time.sleep(1)
        proxy.down = False
        self.wait_for_items(archive, 4)

    def test_waiting_is_renewed(self):
        self.fill(1)
        proxy = self.proxy()
        archive = self.site(proxy.port, watch={"renew_seconds": 10})
        self.serve(archive)
        self.wait_for_items(archive, 1)
        wait_until(lambda: proxy.count("^DONE") >= 1 and proxy.count(" IDLE") >= 2, what="it is renewed")
        self.mailbox.append("INBOX", message("news"))
        self.wait_for_items(archive, 2)

    def test_other_folders_can_be_watched_and_connections_are_bounded(self):
        self.mailbox.make("Projects")
        self.mailbox.make("Later")
        self.fill(1, "Projects")
        proxy = self.proxy()
        archive = self.site(proxy.port, watch={"folders": ["Projects", "inbox", "Later"], "connections": 2})
        self.serve(archive)
        self.wait_for_items(archive, 1)
        wait_until(lambda: proxy.count(" IDLE") >= 2, what="two folders are watched")
        time.sleep(1)
        self.assertEqual(proxy.count(" IDLE"), 2)
        wait_until(lambda: b"more than watch.connections" in (archive.folder / "service.log").read_bytes(), what="it says so")

    def test_nobody_waits_where_that_is_no_use(self):
        self.fill(1)
        proxy = self.proxy()
        self.site(proxy.port).sync()  # outside the service
        without = self.proxy(hide=["IDLE"])
        archive = self.site(without.port, name="without")
        service = self.serve(archive)
        self.wait_for_items(archive, 1)
        off = self.site(proxy.port, name="off", watch={"folders": []})
        self.serve(off)
        self.wait_for_items(off, 1)
        time.sleep(2)
        self.assertEqual((proxy.count(" IDLE"), without.count(" IDLE")), (0, 0))
        checks = {c["name"]: c for c in archive.json("source", "check", "contoso")["checks"]}
        self.assertIn("no IDLE", checks["news awaited"]["detail"])
        self.assertIsNone(service.poll())


class Gmail(ImapTest):
    """What looks like Gmail: Dovecot's ids under Gmail's names, and labels."""

    def test_labels_are_kept_with_the_item(self):
        self.fill(2)
        self.mailbox.make("Label")
        self.mailbox.copy("INBOX", "1", "Label")
        proxy = self.proxy(names=GMAIL)
        archive = self.site(proxy.port)
        self.assertEqual(archive.sync()["items"]["new"], 2)
        entries = self.archived(archive)
        self.assertEqual(sorted(len(e["folders"]) for e in entries), [1, 2])
        for entry in entries:
            self.assertEqual(json.loads(entry["properties"]["labels"]), ["\\Inbox", "Caf\u00e9, 1"])


class Estimating(ImapTest):
    def test_an_estimate_is_made_of_what_is_there(self):
        self.fill(120, size=1000)
        self.mailbox.make("Small")
        self.fill(3, "Small")
        for hidden in ([], ["LIST-STATUS"]):
            proxy = self.proxy(hide=hidden)
            archive = self.site(proxy.port, name=f"site-{len(hidden)}")
            estimate = archive.json("source", "check", "contoso", "--estimate")["estimate"]
            self.assertEqual((estimate["accounts"], estimate["items"]), (1, 123), estimate)
            self.assertEqual(estimate["items_sampled"], 50)


class Faults(ImapTest):
    """Nothing is lost, and nothing else stops because of it."""

    def check(self, pattern, action, expect=0, **how):
        self.fill(30, size=2000)
        proxy = self.proxy()
        rule = proxy.rule(pattern, action, **how)
        archive = self.site(proxy.port)
        archive.sync(expect=expect)
        self.assertGreater(rule.done, 0, "the fault never happened")
        if expect:
            rule.times = 0
            archive.run("failures", "--retry")
            archive.sync()
        self.assert_archived(archive, "INBOX")
        self.assertEqual(archive.json("stats")["items"], 30)
        archive.run("verify")

    def test_connections_cut_within_a_message(self):
        self.check("BODY", cut_answer_after(1000), after=3, times=5)

    def test_connections_cut_within_a_listing(self):
        self.check("RFC822.SIZE", cut_answer_after(200), times=2)

    def test_connections_cut_at_a_command(self):
        self.check("BODY", cut, after=5, times=4)

    def test_a_server_that_says_goodbye(self):
        self.check("BODY", lambda c, line: (say(b"* BYE [UNAVAILABLE] shutting down\r\n")(c, line), cut(c, line))[1],
                   after=2, times=3)

    def test_garbage(self):
        self.check("BODY", say(b"<html>\r\n"), after=4, times=3)

    def test_another_message_than_asked_for(self):
        self.check("BODY", say(b"* 1 FETCH (UID 77 BODY[] {2}\r\nno)\r\n"), after=4, times=1)

    def test_a_slow_server(self):
        self.check("BODY", delay(2), times=5)

    def test_a_throttled_mailbox_is_waited_for(self):
        fill = answer("NO [UNAVAILABLE] later")
        self.check("BODY", fill, after=4, times=2)

    def test_a_message_that_the_server_cant_give(self):
        self.check(r"UID FETCH 7 .*BODY", answer("NO can't convert the message"), expect=1, times=999)

    def test_a_command_that_the_server_does_not_take(self):
        self.check(r"UID FETCH 7 .*BODY", answer("BAD command error"), expect=1, times=999)

    def test_a_message_that_spoils_its_page(self):
        self.check(r"UID FETCH \S*[:,]\S* \(UID INTERNALDATE", answer("NO some messages could not be fetched"))

    def test_a_message_that_goes_before_it_is_fetched(self):
        self.fill(20)
        proxy = self.proxy()
        proxy.rule("BODY", first(lambda: self.mailbox.delete("INBOX", "15:18")), after=2)
        archive = self.site(proxy.port, connections_per_account=2)
        document = archive.sync()
        self.assertEqual(document["items"]["gone_before_fetch"], 4, document)
        self.assertEqual(document["items"]["failed"], 0)
        archive.sync()
        self.assert_archived(archive, "INBOX")

    def test_uidvalidity_changes_during_the_import(self):
        self.fill(20)
        proxy = self.proxy()

        def change():
            SERVER.doveadm("mailbox", "update", "-u", self.user, "--uid-validity", "2000000001", "INBOX")
        self.mailbox.imap.noop()
        proxy.rule("RFC822.SIZE", first(change))
        archive = self.site(proxy.port)
        archive.run("sync", expect=None)
        archive.sync()
        self.assert_archived(archive, "INBOX")

    def test_killed_and_resumed(self):
        self.fill(400, size=20_000)
        proxy = self.proxy()
        archive = self.site(proxy.port)
        for kills in (60, 160, 260):
            rule = proxy.rule("BODY", delay(0), after=kills - 30)
            with running(archive.start("sync")) as process:
                wait_until(lambda: rule.done, what="some messages")
                process.send_signal(signal.SIGKILL)
                process.wait()
            proxy.rules.clear()
        archive.sync()
        self.assert_archived(archive, "INBOX")
        self.assertEqual(archive.json("stats")["items"], 400)
        archive.run("verify")


if __name__ == "__main__":
    unittest.main()
