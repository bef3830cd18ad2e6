"""Microsoft's change notifications: mail is archived when it comes, on a schedule that is hours away."""

import contextlib
import json
import signal
import time
import unittest
import urllib.error
import urllib.request

from harness import Archive, ArchiverTest, Simulator, free_port, graph_config, running, wait_until


class ChangeNotifications(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def tenant(self, users=2, **settings):
        simulator = Simulator("--users", users, "--messages", 5)
        simulator.control("settings", {"subscription_http": True, **settings})
        return simulator

    def site(self, simulator, every="1h", public_url=None, **changes):
        address = f"127.0.0.1:{self.port}"
        site = Archive(self.folder / "site", graph_config(simulator, **changes),
                       service={"listen": address, "public_url": public_url or f"http://{address}"})
        site.profile["sources"][0]["schedule"] = {"every": every}
        site.write_profile()
        return site

    @contextlib.contextmanager
    def service(self, site):
        with open(site.folder / "serve.log", "ab") as log, \
                running(site.start("serve", stdout=log, stderr=log)) as process:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(30), 0)

    def configure(self, site, process, **changes):
        site.profile["sources"][0]["config"].update(changes)
        site.write_profile()
        process.send_signal(signal.SIGHUP)

    def log(self, site):
        return (site.folder / "serve.log").read_text()

    def runs(self, site):
        return self.log(site).count("sync run done")

    def source(self, site):
        return site.json("status")["sources"][0]

    def metric(self, site, name):
        return (self.source(site)["metrics"] or {}).get(name, 0)

    def subscriptions(self, simulator):
        return simulator.control("subscriptions")["subscriptions"]

    def ids(self, simulator):
        return {s["id"] for s in self.subscriptions(simulator)}

    def deliveries(self, simulator):
        return simulator.control("subscriptions")["deliveries"]

    def wait_for_subscriptions(self, simulator, count):
        wait_until(lambda: len(self.subscriptions(simulator)) == count, what=f"{count} subscriptions")

    def settle(self, site, simulator, count):
        """All accounts are imported and subscribed, and the runs are over that this made."""
        self.wait_for_subscriptions(simulator, count)
        wait_until(lambda: self.source(site)["status"] == "active", what="active")
        last = -1
        while self.runs(site) != last:
            last = self.runs(site)
            time.sleep(7)  # two wakes are at least 5 s apart

    def deliver(self, simulator, user, **options):
        return simulator.control("deliver", {"user": user, "folder": "inbox", **options})["messages"]

    def wait_for_items(self, site, count):
        wait_until(lambda: self.source(site)["items"] == count, what=f"{count} items")

    def notify(self, query, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/sources/contoso/webhook{query}", method="POST",
            data=body.encode(), headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers, refused.read().decode()

    def test_mail_arrives_at_once_and_a_killed_service_finds_its_subscriptions_again(self):
        with self.tenant() as simulator:
            site = self.site(simulator)
            anna, other = [user["id"] for user in simulator.users()][:2]
            with self.service(site) as process:
                self.settle(site, simulator, 2)
                before = self.subscriptions(simulator)
                self.assertEqual({s["user"] for s in before}, {anna, other})
                for subscription in before:
                    self.assertEqual(subscription["change_type"], "created")
                    self.assertLessEqual(len(subscription["client_state"]), 128)
                    self.assertNotIn("secret", subscription["client_state"])
                    self.assertGreater(subscription["expires_in_ms"], 60 * 3600 * 1000)
                items = self.source(site)["items"]
                self.deliver(simulator, anna)
                self.wait_for_items(site, items + 1)
                self.assertEqual([d["status"] for d in self.deliveries(simulator)], [202])
                # What comes twice and out of order is archived once.
                simulator.control("settings", {"notifications_doubled": True,
                                               "notifications_reordered": True})
                self.deliver(simulator, anna, count=3)
                self.deliver(simulator, other, count=2)
                self.wait_for_items(site, items + 6)
                self.assertEqual(self.metric(site, 'subscriptions_total{event="created"}'), 2)
                process.send_signal(signal.SIGKILL)
                process.wait()
            self.deliver(simulator, anna)
            with self.service(site):
                self.wait_for_items(site, items + 7)
                wait_until(lambda: self.metric(site, 'subscriptions_total{event="adopted"}') == 2,
                           what="adopted")
                self.settle(site, simulator, 2)
                self.assertEqual(self.ids(simulator), {s["id"] for s in before})
                self.assertEqual(self.metric(site, 'subscriptions_total{event="created"}'), 0)
                self.deliver(simulator, other)
                self.wait_for_items(site, items + 8)
            self.assert_archived(simulator, site)
            log = self.log(site)
            for subscription in before:
                self.assertNotIn(subscription["client_state"], log)
            self.assertNotIn(" warning ", log)

    def test_what_is_forged_is_refused_and_wakes_nobody(self):
        with self.tenant(users=1) as simulator:
            site = self.site(simulator)
            with self.service(site):
                self.settle(site, simulator, 1)
                subscription, = self.subscriptions(simulator)
                query = "?" + subscription["notification_url"].partition("?")[2]
                state = subscription["client_state"]
                runs = self.runs(site)

                def note(client_state, **members):
                    return json.dumps({"value": [{"subscriptionId": subscription["id"],
                                                  "clientState": client_state, **members}]})

                for name, where, body in (
                        ("no key", "", note(state)),
                        ("another key", query[:-1] + ("A" if query[-1] != "A" else "B"), note(state)),
                        ("another state", query, note("guessed")),
                        ("a state of another account", query, note("x" + state)),
                        ("no state", query, note(None)),
                        ("no JSON", query, "{"), ("nothing", query, ""),
                        ("an empty list", query, '{"value":[]}'),
                        ("lifecycle", query, note("guessed", lifecycleEvent="subscriptionRemoved")),
                        ("a token without the key", "?validationToken=abc", "")):
                    status, headers, text = self.notify(where, body)
                    self.assertEqual(status, 403, name)
                    self.assertNotIn(state, text)
                # A forged one in between takes nothing from the others.
                mixed = json.loads(note("guessed"))["value"] + json.loads(note(state))["value"]
                items = self.source(site)["items"]
                time.sleep(7)
                self.assertEqual(self.runs(site), runs)
                self.assertEqual(self.ids(simulator), {subscription["id"]})
                self.assertEqual(self.metric(site, 'notifications_total{kind="refused"}'), 10)
                simulator.control("settings", {"notifications_lost": True})
                self.deliver(simulator, subscription["user"])
                self.assertEqual(self.notify(query, json.dumps({"value": mixed}))[0], 202)
                self.wait_for_items(site, items + 1)
                # The service asks whether somebody is there: decoded, as plain text.
                status, headers, text = self.notify(query + "&validationToken=a%20b%3a+%3Cc%3E", "")
                self.assertEqual((status, text), (200, "a b: <c>"))
                self.assertTrue(headers["Content-Type"].startswith("text/plain"))
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_renewed_before_they_expire_and_made_anew_when_they_are_gone(self):
        with self.tenant(users=1, subscription_life_ms=6000) as simulator:
            site = self.site(simulator)
            with self.service(site):
                self.settle(site, simulator, 1)
                first = self.ids(simulator)
                wait_until(lambda: self.metric(site, 'subscriptions_total{event="renewed"}') >= 4,
                           what="renewals")
                self.assertEqual(self.ids(simulator), first)
                # Gone without a word: the next renewal finds out.
                simulator.control("subscriptions", {"op": "remove", "tell": False,
                                                    "subscription": first.pop()})
                self.wait_for_subscriptions(simulator, 1)
                self.assertEqual(self.metric(site, 'subscriptions_total{event="lost"}'), 1)
                simulator.control("settings", {"subscription_life_ms": 0})
                wait_until(lambda: self.subscriptions(simulator)[0]["expires_in_ms"] > 3_600_000,
                           what="a long life")
                self.settle(site, simulator, 1)
                # Gone, and told.
                gone, = self.ids(simulator)
                simulator.control("subscriptions", {"op": "remove", "subscription": gone})
                wait_until(lambda: self.ids(simulator) not in (set(), {gone}), what="a new one")
                self.settle(site, simulator, 1)
                # The service fears that it will not be allowed any more.
                now, = self.ids(simulator)
                renewed = self.metric(site, 'subscriptions_total{event="renewed"}')
                simulator.control("subscriptions", {"op": "tell", "subscription": now,
                                                    "event": "reauthorizationRequired"})
                wait_until(lambda: self.metric(site, 'subscriptions_total{event="renewed"}') == renewed + 1,
                           what="a renewal")
                self.assertEqual(self.ids(simulator), {now})
                # It lost some.
                items = self.source(site)["items"]
                simulator.control("settings", {"notifications_lost": True})
                self.deliver(simulator, self.subscriptions(simulator)[0]["user"], count=2)
                time.sleep(7)
                self.assertEqual(self.source(site)["items"], items)
                simulator.control("settings", {"notifications_lost": False})
                simulator.control("subscriptions", {"op": "tell", "subscription": now, "event": "missed"})
                self.wait_for_items(site, items + 2)
                self.assertEqual({d["status"] for d in self.deliveries(simulator)} - {0}, {202})

    def test_ended_where_they_are_not_wanted_and_others_are_left_alone(self):
        with self.tenant(users=3) as simulator:
            users = simulator.users()
            site = self.site(simulator)
            foreign = {simulator.control("subscriptions", {"op": "add", "user": user["id"], "change_type": kind})["id"]
                       for user, kind in ((users[0], "created,updated"), (users[1], "updated"))}
            # More than one page of them.
            foreign |= {simulator.control("subscriptions", {"op": "add", "user": users[0]["id"],
                                                            "change_type": "deleted"})["id"]
                        for _ in range(120)}
            # Made with a secret that was renewed since.
            earlier = simulator.control("subscriptions", {
                "op": "add", "user": users[2]["id"],
                "url": f"http://127.0.0.1:{self.port}/api/v1/sources/contoso/webhook?key=earlier"})["id"]

            def own():
                return {s["user"] for s in self.subscriptions(simulator) if s["id"] not in foreign}

            with self.service(site) as process:
                wait_until(lambda: own() == {u["id"] for u in users}, what="subscriptions")
                wait_until(lambda: earlier not in self.ids(simulator), what="the earlier one is ended")
                wait_until(lambda: own() == {u["id"] for u in users}, what="subscriptions")
                self.configure(site, process, accounts={"exclude": [users[0]["upn"]]})
                wait_until(lambda: own() == {u["id"] for u in users[1:]}, what="the excluded one is ended")
                simulator.control("users", {"op": "remove", "user": users[1]["id"]})
                site.sync()
                wait_until(lambda: own() == {users[2]["id"]}, what="the deleted one's is ended")
                self.configure(site, process, change_notifications=False)
                wait_until(lambda: own() == set(), what="all are ended")
                self.assertEqual(self.notify("?validationToken=x", "")[0], 404)
            self.assertEqual(self.ids(simulator), foreign)

    def test_another_program_with_the_same_application_keeps_what_it_has(self):
        with self.tenant(users=1) as simulator:
            user, = simulator.users()
            taken = simulator.control("subscriptions", {"op": "add", "user": user["id"]})["id"]
            site = self.site(simulator)
            with self.service(site):
                wait_until(lambda: self.metric(site, 'subscription_failures_total{reason="taken"}') >= 2,
                           what="refused twice")
                self.assertEqual(self.ids(simulator), {taken})
                self.assertEqual(self.log(site).count("an application of its own"), 1)
                wait_until(lambda: self.source(site)["status"] == "active", what="active")

    def test_without_an_answer_at_the_address_the_schedule_goes_on(self):
        with self.tenant(users=2) as simulator:
            site = self.site(simulator, every="2s", public_url=f"http://127.0.0.1:{free_port()}")
            user = simulator.users()[0]["id"]
            with self.service(site):
                wait_until(lambda: self.source(site)["status"] == "active", what="active")
                wait_until(lambda: self.metric(site, 'subscription_failures_total{reason="endpoint"}') >= 2,
                           what="refused twice")
                items = self.source(site)["items"]
                self.deliver(simulator, user)
                self.wait_for_items(site, items + 1)
                self.assertEqual(self.source(site)["status"], "active")
                self.assertEqual(self.subscriptions(simulator), [])
                # It is said once, and at request.
                self.assertEqual(self.log(site).count("did not reach this source"), 1)
                check = self.check(site)
                self.assertEqual(check["outcome"], "unknown")
                self.assertIn("ValidationError", check["detail"])
                self.assertIn("from the internet", check["remedy"])
            simulator.control("settings", {"subscription_http": False})
            site.profile["service"]["public_url"] = "http://archive.example.org"
            site.write_profile()
            self.assertEqual(self.check(site)["outcome"], "unknown")

    def test_a_refusal_is_told_once_and_tried_again(self):
        with self.tenant(users=1) as simulator:
            site = self.site(simulator)
            simulator.control("faults", {"match": {"route": "subscriptions", "nth": 2},
                                         "action": {"status": 403, "code": "Forbidden"}})
            simulator.control("faults", {"match": {"route": "subscriptions", "nth": 2},
                                         "action": {"status": 429, "headers": {"Retry-After": "2"}}})
            with self.service(site):
                self.wait_for_subscriptions(simulator, 1)
                self.assertEqual(self.metric(site, 'subscription_failures_total{reason="refused"}'), 1)
                self.assertEqual(self.log(site).count("does not notify of all changes"), 1)
                wait_until(lambda: "accepted again" in self.log(site), what="that it is over")

    def check(self, site):
        checks = site.json("source", "check", "contoso")["checks"]
        return next(c for c in checks if c["name"] == "change notifications")

    def test_the_check_tells_whether_microsoft_reaches_the_service(self):
        with self.tenant(users=1) as simulator:
            site = self.site(simulator)
            self.assertEqual(self.check(site)["outcome"], "unknown")  # nobody answers
            with self.service(site):
                self.settle(site, simulator, 1)
                check = self.check(site)
                self.assertEqual(check["outcome"], "pass")
                self.assertIn("1 subscriptions are active", check["detail"])
                # Without any it tries one, and ends it.
                gone, = self.ids(simulator)
                simulator.control("subscriptions", {"op": "remove", "tell": False, "subscription": gone})
                check = self.check(site)
                self.assertEqual(check["outcome"], "pass", check)
                self.assertIn("made and ended", check["detail"])
                self.assertEqual(self.subscriptions(simulator), [])
            site.profile["sources"][0]["config"]["change_notifications"] = False
            site.write_profile()
            names = [c["name"] for c in site.json("source", "check", "contoso")["checks"]]
            self.assertNotIn("change notifications", names)

    def test_sync_without_the_service_subscribes_to_nothing(self):
        with self.tenant(users=1) as simulator:
            site = self.site(simulator)
            site.sync()
            self.assertEqual(simulator.requests("subscriptions"), [])


if __name__ == "__main__":
    unittest.main()
