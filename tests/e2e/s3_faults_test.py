"""What networks, clocks, administrators and stores do to an archive in a bucket: the whole program
against a real store, behind a proxy that faults chosen requests (faulting_proxy.py)."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest
import uuid

from faulting_proxy import (FaultingProxy, answer_as_it_is, land_later, lose_answer, lose_request,
                            say, tear_answer, tear_request, flip_request, wrong_etag)
from harness import Archive, ArchiverTest, running, wait_until
from s3_bucket import Bucket

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


class S3FaultsTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.messages = {}
        self.bucket = Bucket()
        self.site = Archive(self.folder / "site", {"paths": ["../mail"]}, provider="mailfiles")
        self.deliver(5)

    def deliver(self, count=2):
        for _ in range(count):
            number = len(self.messages)
            text = (f"From: a@contoso.example\r\nSubject: {number}\r\n\r\n"
                    f"{uuid.uuid4()}\r\n" * 50).encode()
            (self.mail / f"{number}.eml").write_bytes(text)
            self.messages[hashlib.sha256(text).hexdigest()] = number

    def proxy(self, **changes):
        config = {**self.bucket.config(self.site.folder), **changes}
        proxy = FaultingProxy(config)
        self.site.profile["archive"]["storage"] = {"backend": "s3", "config": proxy.config}
        self.site.write_profile()
        return proxy

    def assert_whole(self, left_behind=False):
        """Everything delivered is in the archive, and the archive is sound. A commit that failed
        between its pack and its segment may leave a pack behind."""
        entries = self.fresh_export(self.site)
        self.assertEqual({e["sha256"] for e in entries}, set(self.messages))
        kinds = {f["kind"] for f in self.site.json("verify")["findings"]}
        self.assertLessEqual(kinds, {"unreferenced_pack"} if left_behind else set())

    def test_a_store_that_stumbles_when_it_is_opened_is_asked_again(self):
        for key in ("?", "OpenArchiver-if-none-match"):
            with self.subTest(key=key), self.proxy() as proxy:
                fault = proxy.fault(say(503, "SlowDown"), key=key, times=2)
                self.deliver()
                self.site.sync()
                self.assertEqual(fault.done, 2)
                self.assert_whole()

    def test_waiting_for_a_store_that_does_not_open_ends_when_stopped(self):
        with self.proxy() as proxy:
            proxy.fault(say(503, "SlowDown", Retry_After="60"), times=100)
            process = self.site.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            with running(process):
                wait_until(lambda: proxy.requests, what="a request")
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=10)
            self.assertEqual(process.returncode, 130, errors)

    def test_what_passes_is_waited_for_and_nothing_is_lost(self):
        cases = [
            (say(500, "InternalError"), "PUT", "packs/"),
            (say(503, "SlowDown"), "PUT", "packs/"),
            (say(503, "SlowDown"), "PUT", "log/"),
            (say(409, "ConditionalRequestConflict"), "PUT", "log/"),
            (lose_request, "PUT", "packs/"),
            (lose_request, "PUT", "log/"),
            (lose_answer, "PUT", "packs/"),
            (lose_answer, "PUT", "log/"),
            (lose_answer, "PUT", "lease"),
            (tear_request, "PUT", "packs/"),
            (tear_request, "PUT", "log/"),
            (flip_request, "PUT", "packs/"),
            (tear_answer, "GET", "keyring"),
            (tear_answer, "GET", "?"),
            (wrong_etag, "PUT", "packs/"),
            (wrong_etag, "PUT", "log/"),
        ]
        with self.proxy() as proxy:
            fault = proxy.fault(lose_answer, method="PUT", key="archive")
            self.site.sync()  # the archive is made, though the answer to its marker was lost
            self.assertEqual(fault.done, 1)
            for action, method, key in cases:
                with self.subTest(action=getattr(action, "__name__", "say"), method=method,
                                  key=key):
                    fault = proxy.fault(action, method=method, key=key)
                    self.deliver()
                    self.assertEqual(self.site.sync()["items"]["new"], 2)
                    self.assertEqual(fault.done, 1, "the fault was not met")
            self.assert_whole()
            torn = proxy.fault(tear_answer, method="GET", key="packs/", times=3)
            self.assert_whole()
            self.assertEqual(torn.done, 3)

    def test_what_a_person_has_to_see_to_names_object_cause_and_remedy(self):
        credentials = str(self.site.folder / "credentials")
        cases = [
            (say(403, "AccessDenied"), "PUT", "packs/", ["store the object packs/", "allow"]),
            (say(403, "AccessDenied"), "PUT", "log/", ["store the object log/", "allow"]),
            (say(404, "NoSuchBucket"), "PUT", "packs/", ["NoSuchBucket", "make the bucket"]),
            (say(404, "NoSuchBucket"), "GET", "?", ["NoSuchBucket", "make the bucket"]),
            (say(403, "ExpiredToken"), "PUT", "packs/", ["renew the credentials", credentials]),
            (say(403, "InvalidAccessKeyId"), "GET", "?", ["InvalidAccessKeyId", credentials]),
            (say(403, "QuotaExceeded"), "PUT", "packs/", ["QuotaExceeded", "more space"]),
            (say(500, "InternalError"), "PUT", "packs/", ["InternalError", "packs/"]),
            (say(503, "SlowDown", Retry_After="3600"), "PUT", "packs/", ["SlowDown"]),
        ]
        with self.proxy() as proxy:
            self.site.sync()
            for action, method, key, words in cases:
                with self.subTest(words=words, method=method):
                    fault = proxy.fault(action, method=method, key=key, times=1000)
                    self.deliver()
                    done = self.site.run("sync", expect=4)
                    said = (done.stdout + done.stderr).decode()
                    self.assertGreater(fault.done, 0)
                    for word in [*words, self.bucket.name]:
                        self.assertIn(word, said)
                    fault.times = 0
                    self.site.sync()
            self.assert_whole(left_behind=True)

    def test_a_missing_bucket_is_named_before_anything_is_made(self):
        self.bucket.name += "-not"
        with self.proxy():
            said = self.site.run("sync", expect=4).stderr.decode()
            self.assertIn("NoSuchBucket", said)
            self.assertIn("make the bucket", said)

    def test_foreign_bucket_contents_are_left_alone(self):
        with self.bucket.client() as client, self.proxy() as proxy:
            # Beside the prefix, and names that are no keys: not the archive's concern.
            client.put_object(Bucket=self.bucket.name, Key="mailbox/other", Body=b"theirs")
            client.put_object(Bucket=self.bucket.name, Key="mail/Some FILE.txt", Body=b"theirs")
            client.put_object(Bucket=self.bucket.name, Key="mail/theirs/object", Body=b"theirs")
            said = self.site.run("sync", expect=4).stderr.decode()
            self.assertIn("theirs/object", said)
            self.assertIn("empty place", said)
            self.assertEqual(proxy.count("PUT", "archive"), 0)
            client.delete_object(Bucket=self.bucket.name, Key="mail/theirs/object")
            self.site.sync()
            self.assert_whole()
            # Put there later, it is reported and does no harm.
            client.put_object(Bucket=self.bucket.name, Key="mail/theirs/object", Body=b"theirs")
            client.put_object(Bucket=self.bucket.name, Key="mail/log/notes", Body=b"theirs")
            self.deliver()
            self.site.sync()
            findings = self.site.json("verify")["findings"]
            self.assertEqual({(f["kind"], f["object"]) for f in findings},
                             {("foreign_object", "theirs/object"),
                              ("foreign_object", "log/notes")})

    def test_a_put_that_timed_out_and_lands_later_is_one(self):
        for key in ("packs/", "log/"):
            for lands, what in ((0.3, "before it is tried again"), (9, "after")):
                with self.subTest(key=key, lands=what), self.proxy(timeout_seconds=4) as proxy:
                    self.site.sync()
                    fault = proxy.fault(land_later(lands, 5), method="PUT", key=key)
                    self.deliver()
                    self.assertEqual(self.site.sync()["items"]["new"], 2)
                    self.assertEqual(fault.done, 1)
                # The proxy has ended: everything has landed.
                with self.proxy():
                    self.deliver()
                    self.site.sync()
                    self.assert_whole()

    def test_an_object_of_another_is_never_taken_for_the_own(self):
        def first(text):
            def action(exchange):
                with self.bucket.client() as client:
                    key = exchange.proxy.key_of(exchange.handler.path)
                    client.put_object(Bucket=self.bucket.name, Key=f"mail/{key}", Body=text)
                    taken.append(f"mail/{key}")
                return answer_as_it_is(exchange)
            return action

        taken = []
        with self.bucket.client() as client, self.proxy() as proxy:
            proxy.fault(first(b"another's marker"), method="PUT", key="archive")
            self.site.run("sync", expect=6)
            self.assertEqual(client.get_object(Bucket=self.bucket.name, Key=taken[-1])
                             ["Body"].read(), b"another's marker")
            client.delete_object(Bucket=self.bucket.name, Key=taken[-1])
            self.site.sync()
            proxy.fault(first(b"another's segment"), method="PUT", key="log/")
            self.deliver()
            said = self.site.run("sync", expect=6).stderr.decode()
            self.assertIn(taken[-1].removeprefix("mail/"), said)
            self.assertIn("another engine", said)
            client.delete_object(Bucket=self.bucket.name, Key=taken[-1])
            self.site.sync()
            self.assert_whole(left_behind=True)

    def test_a_store_that_keeps_other_bytes_than_it_was_sent_is_not_trusted(self):
        def keep_other_bytes(exchange):
            status, fields, content, length = exchange.forward()
            with self.bucket.client() as client:
                client.put_object(
                    Bucket=self.bucket.name, Body=exchange.body[:-1] + bytes([exchange.body[-1] ^ 1]),
                    Key=f"mail/{exchange.proxy.key_of(exchange.handler.path)}")
            fields = [(n, '"0123456789abcdef0123456789abcdef"' if n.lower() == "etag" else v)
                      for n, v in fields]
            return exchange.answer(status, fields, content, length)

        with self.proxy() as proxy:
            self.site.sync()
            proxy.fault(keep_other_bytes, method="PUT", key="packs/")
            self.deliver()
            said = self.site.run("sync", expect=4).stderr.decode()
            self.assertIn("keeps other bytes for the object packs/", said)
            self.site.sync()  # a pack of its own, under a name of its own
            self.assert_whole(left_behind=True)

    def keys(self, *arguments):
        """radosgw-admin on a user's keys."""
        gateway = self.bucket.gateway
        done = subprocess.run([*gateway["admin"], *arguments], capture_output=True, check=True)
        return json.loads(done.stdout) if done.stdout.strip().startswith(b"{") else None

    def test_credentials_that_expire_in_mid_run_are_read_anew(self):
        user = f"expiring-{uuid.uuid4().hex[:8]}"

        def make_key():
            number = uuid.uuid4().hex[:12]
            self.keys("key", "create", f"--uid={user}", f"--access-key=A{number}",
                      f"--secret=s{number}")
            return {"access_key_id": f"A{number}", "secret_access_key": f"s{number}"}

        def expire(key):
            self.keys("key", "rm", f"--uid={user}", f"--access-key={key['access_key_id']}")

        self.keys("user", "create", f"--uid={user}", f"--display-name={user}")
        old = make_key()
        self.bucket = Bucket(keys=old)
        with self.proxy() as proxy:
            self.site.sync()

            def renew(exchange):
                answer = exchange.forward()
                new = make_key()
                self.bucket.write_credentials(self.site.folder, new)
                expire(old)
                old.update(new)
                return exchange.answer(*answer)

            fault = proxy.fault(renew, method="PUT", key="packs/")
            self.deliver()
            self.assertEqual(self.site.sync()["items"]["new"], 2)  # with both keys, in one run
            self.assertEqual(fault.done, 1)

            # Expired and not renewed: said, and good again without a change of the profile.
            expired = dict(old)
            proxy.fault(lambda exchange: (expire(expired), answer_as_it_is(exchange))[1],
                        method="PUT", key="packs/")
            self.deliver()
            said = self.site.run("sync", expect=4).stderr.decode()
            self.assertIn("InvalidAccessKeyId", said)
            self.assertIn(str(self.site.folder / "credentials"), said)
            old.update(make_key())
            self.bucket.write_credentials(self.site.folder, old)
            self.site.sync()
            self.assert_whole(left_behind=True)

    @unittest.skipUnless(FAKETIME.exists(), "needs the package faketime")
    def test_a_machine_whose_clock_is_wrong_uses_the_store_s_time(self):
        with self.proxy():
            self.site.sync()
            for offset in ("+5h", "-5h", "-400d"):
                with self.subTest(offset=offset):
                    self.deliver()
                    done = subprocess.run(
                        self.site.command("--json", "sync"), capture_output=True, timeout=120,
                        env={**os.environ, "LD_PRELOAD": str(FAKETIME), "FAKETIME": offset,
                             "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(b"clock", done.stderr)
                    self.assertEqual(json.loads(done.stdout)["sources"][0]["items"]["new"], 2)
            # The archive holds events of three times, and goes on.
            self.deliver()
            self.site.sync()
            self.assert_whole()
            self.site.run("rebuild")
            self.assertEqual(self.site.sync()["items"]["new"], 0)
            self.assert_whole()


if __name__ == "__main__":
    unittest.main(verbosity=2)
