import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from workspace import PLUGINS, WorkspaceTest


class Serve(WorkspaceTest):
    def items(self):
        accounts = self.run_program("accounts", "--json").document.get("accounts", [])
        return sum(account["items"] for account in accounts)

    def wait_for_items(self, count, service, seconds=30):
        self.wait_for(lambda: self.items() == count, f"{count} items are archived", service,
                      seconds)

    def log_says(self, service, text, after=0):
        self.wait_for(lambda: text in self.log(service)[after:], f"the log says {text!r}", service)

    def live(self, source_id):
        status = self.run_ok("status", "--json").document
        return next(source for source in status["sources"] if source["id"] == source_id)

    def reload(self, service, text):
        """Sends SIGHUP and waits for what the log says to it."""
        after = len(self.log(service))
        service.send_signal(signal.SIGHUP)
        self.log_says(service, text, after)

    def test_new_mail_is_archived_on_schedule_and_a_signal_stops_with_0(self):
        self.write_profile(self.mailfiles_source(every="1s"))
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        self.add_mail("two")
        self.wait_for_items(2, service)
        code, seconds = self.stop(service)
        self.assertEqual(code, 0, self.log(service))
        self.assertLess(seconds, 10)
        self.assertIn("stopped; everything archived is safe", self.log(service))
        self.assertFalse((self.folder / "catalog" / "control.sock").exists())
        self.assertEqual(self.sync()["sources"][0]["items"]["new"], 0)

    def test_log_lines_are_objects_with_an_id_if_wanted(self):
        self.add_mail("one")
        self.write_profile(self.mailfiles_source(every="1h"))
        service = subprocess.Popen(self.command("serve", "--log-format", "json"), cwd=self.folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.services.append(service)
        entries = []
        for line in service.stderr:
            if line.startswith("{"):
                entries.append(json.loads(line))
            if entries and entries[-1]["id"] == "OA-2001":
                service.terminate()
        service.stderr.close()
        self.assertEqual(service.wait(timeout=30), 0)
        for entry in entries:
            self.assertEqual(set(entry), {"time", "level", "name", "id", "message"})
            self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertRegex(entry["id"], r"^OA-\d{4}$")
            self.assertNotIn("OA-", entry["message"])
        self.assertEqual([entries[0]["id"], entries[-1]["id"]], ["OA-5001", "OA-1003"])
        run = next(entry for entry in entries if entry["id"] == "OA-2001")
        self.assertEqual((run["level"], run["name"]), ("info", "engine"))
        self.assertTrue(run["message"].startswith("sync run done: source=local"))

    def test_systemd_learns_when_it_serves_and_when_it_stops(self):
        """Type=notify, as sd_notify(3) describes it."""
        self.write_profile(self.mailfiles_source())
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(str(path))
            supervisor.settimeout(30)
            service = subprocess.Popen(self.command("serve"), cwd=self.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env={**os.environ, "NOTIFY_SOCKET": str(path)})
            self.services.append(service)
            self.assertEqual(supervisor.recv(100), b"READY=1")
            self.assertEqual(self.run_program("status", "--json").code, 0)
            self.stop(service)
            self.assertEqual(supervisor.recv(100), b"STOPPING=1")

    def test_an_interrupt_stops_it_with_0_in_the_middle_of_an_import(self):
        self.behave("items 500", "delay_ms 100")
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.wait_for(lambda: self.items() > 0, "the import is under way", service)
        code, seconds = self.stop(service, signal.SIGINT)
        self.assertEqual(code, 0, self.log(service))
        self.assertLess(seconds, 10)
        before = self.items()
        self.behave("items 500")
        self.assertEqual(self.sync()["sources"][0]["items"]["new"], 500 - before)

    def test_calls_that_do_not_come_back_are_abandoned_in_time(self):
        self.add_mail("one")
        self.behave("items 1", "hang")
        self.write_profile(self.mailfiles_source(every="1s"), self.troubled_source())
        service = self.serve()
        self.wait_for(lambda: self.run_program("folders", "--json", "--source", "troubled")
                      .document.get("folders"), "the folder is known", service)
        self.wait_for_items(1, service)
        code, seconds = self.stop(service)
        self.assertEqual(code, 0, self.log(service))
        self.assertLess(seconds, 10.5)
        self.assertIn("stopped without waiting any longer", self.log(service))
        self.behave("items 1")
        self.sync()

    def test_the_next_run_starts_so_long_after_the_last_start_and_runs_never_stack(self):
        self.behave("items 30", "delay_ms 100")
        self.write_profile(self.troubled_source(every="1s"))
        service = self.serve()
        self.wait_for_items(30, service)
        self.log_says(service, "sync run done")
        self.behave("items 30")
        self.assertNotIn("ended early", self.log(service))
        before = self.log(service).count("sync run done")
        time.sleep(3.2)
        self.assertIn(self.log(service).count("sync run done") - before, (2, 3, 4))

    def test_status_knows_the_service(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        document = self.run_ok("status", "--json").document
        self.assertTrue(document["service"]["running"])
        self.assertEqual(document["service"]["pid"], service.pid)
        self.assertTrue(document["service"]["host"] and document["service"]["version"])
        self.wait_for(lambda: not self.live("local")["running"], "the run ends", service)
        self.assertRegex(self.live("local")["next_run_at"], r"^\d{4}-")
        self.assertIn(f"Service: running, process {service.pid}", self.run_ok("status").out)

    def test_status_shows_the_progress_of_a_run(self):
        self.behave("items 200", "delay_ms 50")
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.wait_for(lambda: (self.live("troubled")["progress"] or {"sources": [{"new": 0}]})
                      ["sources"][0]["new"] > 0, "progress is shown", service)
        self.assertEqual(self.live("troubled")["status"], "importing")
        self.assertTrue(self.live("troubled")["running"])

    def test_the_control_socket_is_its_owners_alone(self):
        self.write_profile(self.mailfiles_source())
        self.serve()
        mode = (self.folder / "catalog" / "control.sock").stat().st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_a_sync_is_handed_over(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        self.add_mail("two")
        document = self.sync()
        self.assertFalse(document["interrupted"])
        self.assertEqual(document["sources"][0]["id"], "local")
        self.assertEqual(document["sources"][0]["items"]["new"], 1)
        self.assertEqual(self.items(), 2)
        self.assertIn("local", self.run_ok("sync", "--reconcile").out)

    def test_a_handed_over_sync_has_the_exit_codes_of_any_other(self):
        self.behave("items 2", "corrupt 2")
        self.write_profile(self.troubled_source())
        self.serve()
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 1, result.err)
        self.behave("items 2", "corrupt 2", "discover unauthenticated")
        self.assertEqual(self.run_program("sync", "--json").code, 3)
        self.assert_error(self.run_program("sync", "--json", "--source", "trouble"), 2,
                          "invalid_argument", 'did you mean "troubled"?')
        self.behave("items 2", "corrupt 2")
        self.assert_error(self.run_program("sync", "--json", "--account", "eve@example.org"), 2,
                          "invalid_argument", "eve@example.org")

    def test_a_handed_over_sync_relays_its_progress(self):
        self.behave()
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.log_says(service, "sync run done")
        self.behave("items 70", "delay_ms 100")
        result = self.run_ok("sync")
        self.assertRegex(result.err, r"(?m)^accounts \d+/1  \d+ messages  ")

    def test_whoever_waits_for_a_handed_over_sync_can_go_away(self):
        self.behave()
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.log_says(service, "sync run done")
        self.behave("items 30", "delay_ms 100")
        process = subprocess.Popen(self.command("sync", "--json"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.services.append(process)
        self.wait_for(lambda: self.items() > 0, "it is under way", service)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(json.loads(out)["error"]["code"], "cancelled")
        self.assertIn("goes on", err)
        self.wait_for_items(30, service)

    def test_the_end_of_the_service_ends_a_handed_over_sync(self):
        self.behave()
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.log_says(service, "sync run done")
        self.behave("items 500", "delay_ms 100")
        process = subprocess.Popen(self.command("sync", "--json"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.services.append(process)
        self.wait_for(lambda: self.items() > 0, "it is under way", service)
        code, _ = self.stop(service)
        out, err = process.communicate(timeout=10)
        self.assertEqual((code, process.returncode), (0, 130), err)
        self.assertTrue(json.loads(out)["interrupted"])

    def test_failures_are_retried_and_accepted_through_the_service(self):
        self.behave("items 3", "corrupt 1", "corrupt 2")
        self.write_profile(self.troubled_source())
        service = self.serve()
        self.wait_for(lambda: len(self.run_program("failures", "--json").document["failures"]) == 2,
                      "both failures are known", service)
        self.behave("items 3", "corrupt 2")
        result = self.run_program("failures", "--json", "--retry")
        self.assertEqual(result.code, 1, result.err)
        [failure] = result.document["failures"]
        self.assertEqual(failure["item"], "item-2")
        self.assert_error(self.run_program("failures", "--json", "--accept", "f" * 24), 2,
                          "invalid_argument", "f" * 24)
        result = self.run_ok("failures", "--json", "--accept", failure["ref"])
        self.assertEqual((result.document["outstanding"], result.document["accepted"]), (0, 1))

    def test_a_rebuild_is_handed_over_and_the_sources_go_on(self):
        self.write_profile(self.mailfiles_source(every="1s"))
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        self.run_ok("rebuild", "--json")
        self.log_says(service, "the catalog was rebuilt")
        self.add_mail("two")
        self.wait_for_items(2, service)

    def test_a_second_service_is_refused(self):
        self.write_profile(self.mailfiles_source())
        service = self.serve()
        result = self.run_program("serve")
        self.assertEqual(result.code, 6, result.err)
        self.assertIn(str(service.pid), result.err)

    def test_a_wrong_profile_serves_nothing(self):
        self.profile.write_text("{}")
        self.assertEqual(self.run_program("serve").code, 2)

    def test_reload_adds_removes_and_changes_sources_and_leaves_the_others_alone(self):
        bob = self.folder / "mail" / "bob"
        self.add_mail("one")
        self.add_mail("two", folder=bob)
        self.behave("items 100", "delay_ms 100")
        self.write_profile(self.mailfiles_source("ada"), self.troubled_source())
        service = self.serve()
        self.wait_for(lambda: self.items() > 1, "the imports are under way", service)
        self.write_profile(self.troubled_source(), self.mailfiles_source("bob", path=bob))
        self.reload(service, "profile reloaded")
        self.wait_for(lambda: self.live("bob")["items"] == 1, "the added source runs", service)
        self.assertTrue(self.live("troubled")["running"], "the import goes on")
        self.assertNotIn("sync run ended early", self.log(service))
        self.add_mail("three", folder=bob)
        self.write_profile(self.troubled_source(), self.mailfiles_source("bob", "1s", path=bob))
        self.reload(service, "profile reloaded")
        self.wait_for(lambda: self.live("bob")["items"] == 2, "the changed source runs", service)
        self.behave("items 100")
        self.wait_for(lambda: self.live("troubled")["items"] == 100, "the import ends", service)
        self.assertEqual(self.stop(service)[0], 0)

    def test_reload_of_a_wrong_profile_keeps_the_old_one_and_says_each_problem(self):
        self.write_profile(self.mailfiles_source(every="1s"))
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        profile = self.profile_of(self.mailfiles_source(every="soon"))
        profile["sources"][0]["schedle"] = {}
        self.profile.write_text(json.dumps(profile))
        self.reload(service, "going on with the old one")
        log = self.log(service)
        self.assertIn("/sources/0/schedule/every", log)
        self.assertIn("/sources/0/schedle", log)
        self.write_profile(self.mailfiles_source(every="1s"))
        self.add_mail("two")
        self.wait_for_items(2, service)

    def test_reload_of_what_needs_a_restart_says_so_and_keeps_the_old_profile(self):
        plugins = self.folder / "plugins"
        shutil.copytree(PLUGINS, plugins)
        profile = self.profile_of(self.mailfiles_source(every="1s"))
        profile["plugins"]["path"] = [str(plugins)]
        self.profile.write_text(json.dumps(profile))
        service = self.serve()
        changed = json.loads(self.profile.read_text())
        changed["archive"]["storage"]["config"]["root"] = "./elsewhere"
        changed["archive"]["catalog"] = {"path": "./other-catalog"}
        changed["archive"]["encryption"] = {"mode": "none"}
        changed["sources"] = []
        self.profile.write_text(json.dumps(changed))
        self.reload(service, "restart the service")
        log = self.log(service)
        for place in ("/archive/storage", "/archive/catalog", "/archive/encryption"):
            self.assertIn(place, log)
        self.profile.write_text(json.dumps(profile))
        library = plugins / "troubled.so"
        fresh = plugins / "fresh"
        fresh.write_bytes(library.read_bytes() + b"\0")
        fresh.rename(library)
        self.reload(service, "restart the service")
        self.assertIn('the file of the plugin "troubled"', self.log(service))
        self.add_mail("one")
        self.wait_for_items(1, service)
        self.assertEqual(self.stop(service)[0], 0)

    def test_an_archive_that_can_not_be_written_is_tried_again_on_schedule(self):
        self.write_profile(self.mailfiles_source(every="1s"))
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        # Only packs can't be written: what an engine leaves behind on closing can be.
        packs = self.folder / "archive" / "packs"
        aside = self.folder / "aside"
        self.wait_for(lambda: not self.live("local")["running"], "the run ends", service)
        packs.rename(aside)
        packs.write_text("in the way")
        self.add_mail("two")
        self.log_says(service, "sync run ended early")
        self.wait_for(lambda: "error" in self.run_program("status", "--json").out,
                      "the trouble shows", service)
        packs.unlink()
        aside.rename(packs)
        self.wait_for_items(2, service)
        self.wait_for(lambda: self.live("local")["status"] == "active", "all is well", service)
        self.assertEqual(self.stop(service)[0], 0)

    def test_a_source_whose_service_is_away_shows_it_and_comes_back(self):
        self.behave("discover unavailable")
        self.write_profile(self.troubled_source(every="1s"))
        service = self.serve()
        self.wait_for(lambda: self.live("troubled")["status"] == "error", "the error", service)
        self.assertIn("the script says unavailable", self.live("troubled")["reason"])
        self.behave("items 1")
        self.wait_for(lambda: self.live("troubled")["status"] == "active", "it is back", service)
        self.assertEqual(self.items(), 1)

    def test_a_killed_service_leaves_nothing_in_the_way(self):
        self.write_profile(self.mailfiles_source())
        self.add_mail("one")
        service = self.serve()
        self.wait_for_items(1, service)
        os.kill(service.pid, signal.SIGKILL)
        service.wait()
        self.assertTrue((self.folder / "catalog" / "control.sock").exists())
        self.assertFalse(self.run_ok("status", "--json").document["service"]["running"])
        self.sync()
        self.assertEqual(self.stop(self.serve())[0], 0)


if __name__ == "__main__":
    unittest.main()
