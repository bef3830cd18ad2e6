import hashlib
import hmac
import json
import pathlib
import shutil
import signal
import sys
import time
import unittest
import urllib.request

from workspace import WorkspaceTest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "services"))
from receivers import Certificate, Hook, MailServer, Silent, free_port  # noqa: E402

HOOK_SECRET = "hook-secret-value"


class NotifyTest(WorkspaceTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(cls.enterClassContext(TemporaryFolder()))
        cls.certificate = Certificate(cls.shared / "server")
        cls.other_name = Certificate(cls.shared / "other", "DNS:elsewhere.example.org")

    def setUp(self):
        super().setUp()
        self.secrets = {"hook": HOOK_SECRET, "mail": MailServer.PASSWORD}
        for name, value in self.secrets.items():
            (self.folder / f"{name}-secret").write_text(value + "\n")
            (self.folder / f"{name}-secret").chmod(0o600)

    def hook_target(self, hook, target_id="hook", certificate=None, **members):
        settings = {"url": hook.url, "secret": {"file": "./hook-secret"}}
        if certificate:
            settings["ca_file"] = str(certificate.ca_file)
        return {"id": target_id, "webhook": settings, **members}

    def mail_target(self, port, security="starttls", target_id="mail", user=True, certificate=None,
                    to=("ops@example.org",), **members):
        settings = {"host": "127.0.0.1", "port": port, "security": security,
                    "from": "archive@example.org", "to": list(to)}
        if user:
            settings.update(username=MailServer.USER, password={"file": "./mail-secret"})
        if security != "none":
            settings["ca_file"] = str((certificate or self.certificate).ca_file)
        return {"id": target_id, "smtp": settings, **members}

    def notify(self, *targets, sources=None, archive=None, **settings):
        """Writes a profile with these targets."""
        profile = self.profile_of(*(sources or [self.mailfiles_source()]), archive=archive)
        profile["notifications"] = {"targets": list(targets), **settings}
        self.profile.write_text(json.dumps(profile))

    def outcomes(self, code, *arguments):
        result = self.run_program("notify", "test", "--json", *arguments)
        self.assertEqual(result.code, code, result.out + result.err)
        self.assert_says_nothing_secret(result.out + result.err)
        return {one["id"]: one for one in result.document["targets"]}

    def failure(self, code, *words):
        (outcome,) = self.outcomes(code).values()
        self.assertFalse(outcome["sent"])
        for word in words:
            self.assertIn(word, outcome["error"]["message"])
        return outcome["error"]

    def assert_says_nothing_secret(self, text):
        for secret in (*self.secrets.values(), "ops@example.org", "to=ops"):
            self.assertNotIn(secret, text)


class TemporaryFolder:
    def __enter__(self):
        import tempfile
        self.path = tempfile.mkdtemp(prefix="openarchiver-notify-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


class Test(NotifyTest):
    """`notify test`."""

    def test_a_webhook_gets_a_signed_document(self):
        with Hook(self.certificate) as hook:
            self.notify(self.hook_target(hook, certificate=self.certificate))
            self.assertTrue(self.outcomes(0)["hook"]["sent"])
        ((fields, body),) = hook.requests
        document = json.loads(body)
        self.assertEqual(document["version"], 1)
        self.assertTrue(document["test"])
        self.assertEqual(document["conditions"], [])
        self.assertEqual(fields["OpenArchiver-Notification"], document["id"])
        self.assertEqual(fields["Content-Type"], "application/json")
        self.assertLess(abs(int(fields["OpenArchiver-Timestamp"]) - time.time()), 60)
        signed = fields["OpenArchiver-Timestamp"].encode() + b"." + body
        self.assertEqual(fields["OpenArchiver-Signature"],
                         "v1=" + hmac.new(HOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest())

    def test_mail_is_sent_over_starttls_tls_or_within_the_machine(self):
        for security in ("starttls", "tls", "none"):
            with self.subTest(security), MailServer(self.certificate, security) as server:
                self.notify(self.mail_target(server.port, security,
                                             to=("ops@example.org", "more@example.org")))
                self.assertTrue(self.outcomes(0)["mail"]["sent"])
                ((envelope, mail),) = server.mails
                self.assertEqual(envelope.mail_from, "archive@example.org")
                self.assertEqual(envelope.rcpt_tos, ["ops@example.org", "more@example.org"])
                self.assertIn("[OpenArchiver] test", mail["Subject"])
                self.assertEqual(mail["Auto-Submitted"], "auto-generated")
                self.assertTrue(mail["Message-ID"] and mail["Date"])
                self.assertIn("This is a test.", mail.get_content())
                # The session knows of TLS that began with STARTTLS only.
                self.assertEqual(server.logins, [("PLAIN", security == "starttls")])

    def test_an_older_server_is_signed_in_to_by_login(self):
        with MailServer(self.certificate, auth_exclude_mechanism=["PLAIN"]) as server:
            self.notify(self.mail_target(server.port))
            self.assertTrue(self.outcomes(0)["mail"]["sent"])
            self.assertEqual(server.logins[0][0], "LOGIN")

    def test_people_get_a_table(self):
        with Hook() as hook:
            self.notify(self.hook_target(hook), self.mail_target(free_port()))
            result = self.run_program("notify", "test")
            self.assertEqual(result.code, 7)
            self.assertRegex(result.out, r"hook +webhook +sent")
            self.assertRegex(result.out, r"mail +smtp +FAILED +the mail server 127.0.0.1:\d+")
            self.assertEqual(set(self.outcomes(0, "--target", "hook")), {"hook"})

    def test_certificates_that_are_not_trusted_are_refused(self):
        with Hook(self.certificate) as hook:
            self.notify(self.hook_target(hook))
            self.failure(7, "not trusted", "ca_file")
            self.assertEqual(hook.requests, [])
        for security in ("starttls", "tls"):
            with self.subTest(security), MailServer(self.other_name, security) as server:
                for certificate in (self.certificate, self.other_name):  # authority, name
                    self.notify(self.mail_target(server.port, security, certificate=certificate))
                    self.failure(7, "not trusted")
                self.assertEqual(server.logins + server.mails, [])

    def test_what_the_other_side_refuses_is_3(self):
        with MailServer(self.certificate) as server:
            (self.folder / "mail-secret").write_text("wrong")
            self.notify(self.mail_target(server.port))
            self.failure(3, "refuses the user or the password")
            (self.folder / "mail-secret").write_text(MailServer.PASSWORD)
            server.refused["ops@example.org"] = "550 5.1.1 <ops@example.org> unknown"
            self.failure(3, "550 5.1.1", "(address)")
            self.assertEqual(server.mails, [])
        with Hook() as hook:
            hook.status = 401
            self.notify(self.hook_target(hook))
            self.failure(3, "status 401")

    def test_what_may_pass_is_7(self):
        with Hook() as hook:
            hook.status = 503
            self.notify(self.hook_target(hook))
            self.failure(7, "status 503")
        self.failure(7, "can't be reached")
        with MailServer(self.certificate) as server:
            server.refused["ops@example.org"] = "451 4.7.1 try later"
            self.notify(self.mail_target(server.port))
            self.failure(7, "451")

    def test_servers_that_say_nothing_or_never_end_are_given_up(self):
        class Endless(Silent):
            def serve(self):
                connection, _ = self.socket.accept()
                self.open.append(connection)
                try:
                    while True:
                        connection.sendall(b"220-still here\r\n")
                        time.sleep(0.2)
                except OSError:
                    pass

        with Silent() as silent, Endless() as endless:
            class Silence:
                url = f"http://127.0.0.1:{silent.port}/"
            self.notify(self.hook_target(Silence), self.mail_target(silent.port),
                        self.mail_target(silent.port, "tls", target_id="mail-tls"),
                        self.mail_target(endless.port, target_id="endless"))
            started = time.monotonic()
            outcomes = self.outcomes(7)
            self.assertLess(time.monotonic() - started, 100)
            self.assertEqual(len(outcomes), 4)
            for outcome in outcomes.values():
                self.assertIn("in time", outcome["error"]["message"])

    def test_what_is_said_before_tls_counts_for_nothing_in_it(self):
        """Words put into the connection behind the answer to STARTTLS."""
        heard = []

        class Injected(Silent):
            def serve(inner):
                connection, _ = inner.socket.accept()
                connection.settimeout(10)
                try:
                    connection.sendall(b"220 here\r\n")
                    connection.recv(1000)
                    connection.sendall(b"250-here\r\n250 STARTTLS\r\n")
                    connection.recv(1000)
                    connection.sendall(b"220 go\r\n250-here\r\n250 AUTH PLAIN\r\n")
                    inside = self.certificate.context.wrap_socket(connection, server_side=True)
                    inner.open.append(inside)
                    heard.append(inside.recv(1000))
                    inside.settimeout(2)
                    heard.append(inside.recv(1000))
                except OSError:
                    pass
                connection.close()

        with Injected() as server:
            self.notify(self.mail_target(server.port))
            self.failure(7)
        self.assertEqual(len(heard), 1, heard)
        self.assertIn(b"EHLO", heard[0])

    def test_no_password_goes_where_tls_is_not(self):
        greeting = b"220 here\r\n250-here\r\n250 AUTH PLAIN LOGIN\r\n"
        with Silent(greeting) as server:
            self.notify(self.mail_target(server.port))
            self.failure(2, "does not offer STARTTLS")
            self.assertNotIn(b"AUTH", server.heard)

    def test_redirects_are_not_followed(self):
        with Hook() as elsewhere, Hook() as hook:
            hook.status, hook.fields = 307, {"Location": elsewhere.url}
            self.notify(self.hook_target(hook))
            self.failure(2, "redirects are not followed")
            self.assertEqual(elsewhere.requests, [])

    def test_a_secret_that_can_not_be_read_is_a_mistake_of_the_profile(self):
        with Hook() as hook:
            (self.folder / "hook-secret").unlink()
            self.notify(self.hook_target(hook))
            self.failure(2, "hook-secret")
            self.assertEqual(hook.requests, [])
            check = self.run_program("profile", "check", "--json")
            self.assertEqual(check.code, 2)
            self.assertIn("/notifications/targets/0/webhook/secret", check.out)

    def test_there_has_to_be_a_target(self):
        self.write_profile(self.mailfiles_source())
        result = self.run_program("notify", "test", "--json")
        self.assert_error(result, 2, "invalid_argument", "no notification targets")
        with Hook() as hook:
            self.notify(self.hook_target(hook))
            result = self.run_program("notify", "test", "--json", "--target", "other")
            self.assert_error(result, 2, "invalid_argument", '"other"')

    def test_sections_that_are_wrong_are_named(self):
        hook = {"id": "a", "webhook": {"url": "https://example.org/"}}
        mail = {"id": "a", "smtp": {"host": "smtp.example.org", "from": "a@example.org",
                                    "to": ["b@example.org"]}}

        def changed(target, kind, **members):
            return {**target, kind: {**target[kind], **members}}

        for targets, settings, pointer in (
                ([hook, hook], {}, "/notifications/targets/1/id"),
                ([{"id": "a"}], {}, "/notifications/targets/0"),
                ([{**hook, **mail}], {}, "/notifications/targets/0"),
                ([{**hook, "conditions": ["weather"]}], {}, "/notifications/targets/0/conditions/0"),
                ([changed(hook, "webhook", url="http://example.org/")], {},
                 "/notifications/targets/0/webhook/url"),
                ([changed(hook, "webhook", url="https://user@example.org/")], {},
                 "/notifications/targets/0/webhook/url"),
                ([changed(hook, "webhook", url="ftp://example.org/")], {},
                 "/notifications/targets/0/webhook/url"),
                ([changed(hook, "webhook", proxy_user="u")], {},
                 "/notifications/targets/0/webhook"),
                ([changed(mail, "smtp", security="none")], {},
                 "/notifications/targets/0/smtp/security"),
                ([changed(mail, "smtp", username="u")], {}, "/notifications/targets/0/smtp"),
                ([changed(mail, "smtp", to=[])], {}, "/notifications/targets/0/smtp/to"),
                ([changed(mail, "smtp", to=["a@b.c\r\nBcc: d@e.f"])], {},
                 "/notifications/targets/0/smtp/to/0"),
                ([changed(mail, "smtp", **{"from": "a b@example.org"})], {},
                 "/notifications/targets/0/smtp/from"),
                ([changed(mail, "smtp", port=70000)], {}, "/notifications/targets/0/smtp/port"),
                ([hook], {"storage_below": "0%"}, "/notifications/storage_below"),
                ([hook], {"remind_every": "0s"}, "/notifications/remind_every"),
                ([hook], {"when": "always"}, "/notifications/when")):
            with self.subTest(pointer=pointer, targets=targets):
                self.notify(*targets, **settings)
                result = self.run_program("profile", "check", "--json")
                self.assertEqual(result.code, 2, result.out)
                pointers = [one["pointer"] for one in result.document["problems"]]
                self.assertIn(pointer, pointers)
        self.notify(changed(hook, "webhook", secret="in the open"))
        self.assertIn("stands in the profile itself", self.run_ok("profile", "check").err)

    def test_the_schema_describes_the_section(self):
        schema = self.run_ok("profile", "schema").document
        self.assertIn("targets", schema["properties"]["notifications"]["properties"])


class Serve(NotifyTest):
    """What a running service tells."""

    def told(self, hook, *expected, service=None):
        """Waits until exactly this was told."""
        self.wait_for(lambda: len(hook.told()) >= len(expected), f"{expected}: {hook.told()}",
                      service)
        self.assertEqual(hook.told(), list(expected))

    def status_of_targets(self):
        return {one["id"]: one for one in self.run_ok("status", "--json").document["notifications"]}

    def test_a_source_that_fails_and_works_again_is_told_once_each(self):
        self.behave("discover unavailable")
        with Hook(self.certificate) as hook, MailServer(self.certificate) as server:
            self.notify(self.hook_target(hook, certificate=self.certificate),
                        self.mail_target(server.port), after="1s", storage_below="1B",
                        sources=[self.troubled_source(every="1s")])
            service = self.serve()
            self.told(hook, "attention/troubled begun", service=service)
            (one,) = hook.documents()[0]["conditions"]
            self.assertIn("is not archived", one["summary"])
            self.assertEqual(one["details"]["status"], "error")
            self.assertFalse(hook.documents()[0]["test"])
            # A restart repeats nothing.
            self.wait_for(lambda: server.mails, "the mail arrives", service)
            self.stop(service)
            self.assertEqual(self.status_of_targets()["hook"]["told"], ["attention/troubled"])
            service = self.serve()
            time.sleep(4)
            self.told(hook, "attention/troubled begun", service=service)
            self.assertEqual(len(server.mails), 1)
            # And it is over.
            self.behave("items 1")
            self.told(hook, "attention/troubled begun", "attention/troubled over", service=service)
            self.wait_for(lambda: len(server.mails) == 2, "the second mail arrives", service)
            self.assertIn("over:", server.mails[1][1]["Subject"])
            self.assertEqual(self.status_of_targets()["hook"]["told"], [])
            text = self.run_ok("status").out
            self.assertRegex(text, r"Notifications to hook \(webhook\): last sent 20")
            log = self.log(service)
            self.assertIn("notification sent: target=mail attention/troubled=over", log)
            self.assert_says_nothing_secret(log + text)

    def test_a_target_that_is_down_is_visible_and_told_later_how_things_stand(self):
        port, api = free_port(), free_port()
        self.behave("discover unavailable")

        class Later:
            url = f"http://127.0.0.1:{port}/hook"
        self.notify(self.hook_target(Later), after="0s", storage_below="1B",
                    sources=[self.troubled_source(every="1s")])
        profile = json.loads(self.profile.read_text())
        profile["service"] = {"listen": f"127.0.0.1:{api}"}
        self.profile.write_text(json.dumps(profile))
        secret = self.sync_and_make_credential()
        service = self.serve()
        self.wait_for(lambda: self.status_of_targets()["hook"]["failing_since"],
                      "the failure shows", service)
        self.assertIn("can't be reached", self.status_of_targets()["hook"]["error"])
        self.assertIn("ATTENTION: notifications to hook (webhook): failing since",
                      self.run_ok("status").out)
        self.assertEqual(self.log(service).count("a notification was not sent: target=hook"), 1)
        metrics = self.metrics(api, secret)
        self.assertIn('openarchiver_notification_target_failing{target="hook"} 1', metrics)
        self.assertIn('openarchiver_storage_free_bytes{store="archive"}', metrics)
        self.assertIn('openarchiver_storage_total_bytes{store="catalog"}', metrics)
        with Hook(port=port) as hook:
            self.told(hook, "attention/troubled begun", service=service)
            self.wait_for(lambda: not self.status_of_targets()["hook"]["failing_since"],
                          "it is well again", service)
            self.assertIn('openarchiver_notification_target_failing{target="hook"} 0',
                          self.metrics(api, secret))

    def sync_and_make_credential(self):
        self.run_program("sync")
        return self.run_ok("credential", "add", "watch", "--role", "operator",
                           "--json").document["secret"]

    def metrics(self, port, secret):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics",
                                         headers={"Authorization": f"Bearer {secret}"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read().decode()

    def test_a_target_that_hangs_holds_up_no_run_no_other_target_and_no_stop(self):
        self.add_mail("one")
        self.behave("discover unavailable")
        with Silent() as silent, Hook() as hook:
            class Hanging:
                url = f"http://127.0.0.1:{silent.port}/"
            self.notify(self.hook_target(Hanging, target_id="hanging"), self.hook_target(hook),
                        self.mail_target(silent.port, target_id="hanging-mail"), after="0s",
                        storage_below="1B",
                        sources=[self.mailfiles_source(every="1s"),
                                 self.troubled_source(every="1s")])
            service = self.serve()
            self.told(hook, "attention/troubled begun", service=service)
            self.wait_for(lambda: len(silent.open) >= 2, "both hang", service)
            self.add_mail("two")
            self.wait_for(lambda: self.run_ok("stats", "--json").document["items"] == 2,
                          "runs go on", service)
            code, seconds = self.stop(service)
            self.assertEqual(code, 0)
            self.assertLess(seconds, 8)
            self.assertIn("stopped; everything archived is safe", self.log(service))

    def test_names_put_nothing_into_headers(self):
        self.behave("discover unavailable")
        source = self.troubled_source(every="1s")
        source["name"] = "Evil\r\nBcc: victim@example.org\r\n\r\nbody \u00e4\u00f6\u00fc " + "x" * 100
        with Hook() as hook, MailServer(self.certificate) as server:
            self.notify(self.mail_target(server.port), self.hook_target(hook), after="0s",
                        storage_below="1B", sources=[source])
            service = self.serve()
            self.wait_for(lambda: server.mails and hook.requests, "both are told", service)
            envelope, mail = server.mails[0]
            self.assertEqual(envelope.rcpt_tos, ["ops@example.org"])
            self.assertIsNone(mail["Bcc"])
            self.assertIn("Evil  Bcc: ", mail["Subject"])
            self.assertIn("\u00e4\u00f6\u00fc", mail["Subject"])
            self.assertIn("\u00e4\u00f6\u00fc", mail.get_content())
            self.assertNotIn("\n", hook.documents()[0]["summary"])

    def test_damage_that_verify_finds_is_told_until_it_is_repaired(self):
        self.add_mail("one", text="x" * 1000)
        with Hook() as hook:
            self.notify(self.hook_target(hook, conditions=["verify"]), after="0s")
            self.sync()
            service = self.serve()
            (pack,) = [path for path in (self.folder / "archive" / "packs").rglob("*")
                       if path.is_file()]
            whole = pack.read_bytes()
            pack.chmod(0o600)
            pack.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
            self.assertEqual(self.run_program("verify").code, 5)
            self.told(hook, "verify/archive begun", service=service)
            self.assertIn("ATTENTION: the verify of", self.run_ok("status").out)
            # A quick one does not see it, and does not end it.
            self.run_ok("verify", "--quick")
            document = self.run_ok("status", "--json").document["verify"]
            self.assertEqual((document["last"]["scope"], document["damage"]["scope"]),
                             ("quick", "full"))
            pack.write_bytes(whole)
            self.run_ok("verify")
            self.told(hook, "verify/archive begun", "verify/archive over", service=service)
            self.assertIsNone(self.run_ok("status", "--json").document["verify"]["damage"])

    def test_storage_that_fills_is_told_by_the_profile_s_measure_and_a_reload_changes_it(self):
        with Hook() as hook:
            self.notify(self.hook_target(hook), after="0s", storage_below="9999999TiB")
            service = self.serve()
            self.told(hook, "storage/archive begun", "storage/catalog begun", service=service)
            (one, _) = [one for document in hook.documents() for one in document["conditions"]]
            self.assertGreater(one["details"]["total_bytes"], one["details"]["free_bytes"])
            self.notify(self.hook_target(hook), after="0s", storage_below="1B")
            service.send_signal(signal.SIGHUP)
            self.told(hook, "storage/archive begun", "storage/catalog begun",
                      "storage/archive over", "storage/catalog over", service=service)

    def test_a_source_that_lags_is_told(self):
        self.behave("items 1")
        with Hook() as hook:
            self.notify(self.hook_target(hook, conditions=["lag"]), after="0s", lag="2s",
                        sources=[self.troubled_source(every="1s")])
            service = self.serve()
            self.wait_for(lambda: "sync run done" in self.log(service), "it was read", service)
            self.behave("discover unavailable")
            self.told(hook, "lag/troubled begun", service=service)
            self.behave("items 1")
            self.told(hook, "lag/troubled begun", "lag/troubled over", service=service)

    def test_what_lasts_is_told_again(self):
        self.behave("discover unavailable")
        with Hook() as hook:
            self.notify(self.hook_target(hook), after="0s", remind_every="2s", storage_below="1B",
                        sources=[self.troubled_source(every="1s")])
            service = self.serve()
            self.told(hook, "attention/troubled begun", "attention/troubled reminder",
                      service=service)


if __name__ == "__main__":
    unittest.main()
