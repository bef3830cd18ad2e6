"""What people are told of a tenant: mailboxes that fail, secrets that expire, and no more."""

import datetime
import json
import pathlib
import subprocess
import sys
import unittest

from harness import ArchiverTest, Simulator, running, wait_until

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "services"))
from receivers import Hook  # noqa: E402

DENIED = {"status": 403, "code": "ErrorAccessDenied", "message": "Access is denied."}


class NotifyTest(ArchiverTest):
    def notifying(self, simulator, targets, **config):
        archive = self.archive(simulator, **config)
        archive.profile["sources"][0]["schedule"] = {"every": "2s"}
        archive.profile["notifications"] = {"targets": targets, "after": "0s",
                                            "storage_below": "1B"}
        archive.write_profile()
        return archive

    def serve(self, archive):
        log = open(archive.folder / "serve.log", "ab")
        self.addCleanup(log.close)
        return running(archive.start("serve", stdout=log, stderr=log))

    def test_a_mailbox_that_fails_is_told_and_named_only_to_whom_may_know(self):
        with Simulator("--users", 3, "--messages", 3) as simulator, Hook() as few, Hook() as all_:
            archive = self.notifying(simulator, [
                {"id": "few", "webhook": {"url": few.url}},
                {"id": "all", "webhook": {"url": all_.url}, "name_accounts": True}])
            denied = simulator.users()[0]
            simulator.control("faults", {"match": {"route": "delta", "user": denied["id"]},
                                         "action": DENIED})
            archive.sync(expect=1)
            with self.serve(archive):
                wait_until(lambda: few.requests and all_.requests, 60, "both are told")
                (one,) = few.documents()[0]["conditions"]
                self.assertEqual((one["condition"], one["subject"], one["degree"]),
                                 ("attention", "contoso", 2))
                self.assertEqual(one["details"]["accounts_failed"], 1)
                self.assertNotIn("accounts", one)
                address = next(account["address"] for account
                               in archive.json("accounts")["accounts"]
                               if account["id"] == denied["id"])
                self.assertIn("@", address)
                (named,) = all_.documents()[0]["conditions"]
                self.assertEqual(named["accounts"], [address])
                # The addresses and subjects of the tenant are nowhere else.
                said = json.dumps(few.documents()) + (archive.folder / "serve.log").read_text()
                self.assertNotIn("@", said)
                for entry in archive.export():
                    self.assertTrue(entry["subject"])
                    self.assertNotIn(entry["subject"], said)
                simulator.control("faults", method="DELETE")
                wait_until(lambda: "attention/contoso over" in few.told(), 60, "it is over")
                self.assertEqual(few.told(), ["attention/contoso begun", "attention/contoso over"])

    def test_a_secret_that_expires_is_told_from_thirty_days_before(self):
        today = datetime.datetime.now(datetime.timezone.utc).date()
        for days, degree in ((40, None), (20, 1), (3, 2)):
            expires = (today + datetime.timedelta(days=days)).isoformat()
            with self.subTest(days), Simulator("--users", 1, "--messages", 1) as simulator, \
                    Hook() as hook:
                archive = self.notifying(
                    simulator, [{"id": "hook", "webhook": {"url": hook.url}}],
                    client_secret_expires=expires)
                archive.sync()
                with self.serve(archive) as process:
                    if degree:
                        wait_until(lambda: hook.requests, 60, "it is told")
                    else:
                        wait_until(lambda: (archive.folder / "catalog" / "notifications.json")
                                   .exists(), 60, "it was looked")
                    process.terminate()
                    self.assertEqual(process.wait(30), 0)
                conditions = [one for document in hook.documents()
                              for one in document["conditions"]]
                self.assertEqual([(one["condition"], one["degree"]) for one in conditions],
                                 [("credential", degree)] if degree else [])
                for one in conditions:
                    self.assertIn(expires, one["summary"])
                    self.assertIn(expires, one["details"]["expires_at"])
                self.folder = self.folder / "next"


if __name__ == "__main__":
    unittest.main()
