"""The engine killed at any moment: nothing is lost, doubled, or fetched again beyond what was in
flight."""

import os
import random
import signal
import subprocess
import time
import unittest

from harness import ArchiverTest, Simulator, running

SEED = int(os.environ.get("OPENARCHIVER_TEST_SEED", "20261122"))
KILLS = int(os.environ.get("OPENARCHIVER_TEST_KILLS", "12"))
# A message is durable about a second after it was fetched; a busy machine takes a little longer.
IN_FLIGHT_SECONDS = 4.0


class KillTest(ArchiverTest):
    def test_sigkill_at_random_points(self):
        rng = random.Random(SEED)
        print(f"seed {SEED}, {KILLS} kills")
        with Simulator("--users", 6, "--messages", 300, "--latency-ms", 100) as simulator:
            archive = self.archive(simulator)
            kills = []
            for _ in range(KILLS):
                process = archive.start("sync", stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
                with running(process):
                    time.sleep(rng.uniform(0.05, 2.5))
                    if process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                        kills.append(time.time() * 1000)
                if rng.random() < 0.5:
                    user = rng.choice(simulator.users())
                    simulator.control("deliver", {"user": user["id"], "folder": "inbox",
                                                  "count": rng.randrange(5, 40)})
                    messages = [m for m in user["messages"] if not m["deleted"]]
                    message = rng.choice(messages)
                    simulator.control(rng.choice(("delete", "touch")),
                                      {"user": user["id"], "message": message["id"]})
            self.assertGreater(len(kills), KILLS // 3, "hardly ever killed: nothing was tested")
            report = archive.sync()
            self.assertEqual(report["accounts"]["failed"], 0)
            self.assert_archived(simulator, archive)
            archive.run("verify")

            fetches = {}
            for entry in simulator.requests("value"):
                if entry["status"] == 200 and entry["complete"]:
                    message = entry["path"].split("/messages/")[1].split("/")[0]
                    fetches.setdefault((entry["user"], message), []).append(
                        entry["time_ms"] + entry["duration_ms"])
            # An answer that was under way when the engine was killed is logged a little later.
            for message, times in fetches.items():
                for earlier in sorted(times)[:-1]:
                    in_flight = any(-1000 <= kill - earlier <= IN_FLIGHT_SECONDS * 1000
                                    for kill in kills)
                    self.assertTrue(in_flight, f"{message} was durable and was fetched again: "
                                    f"fetched at {times}, killed at {kills}")

    def test_sigint_keeps_what_was_acknowledged(self):
        with Simulator("--users", 2, "--messages", 400, "--latency-ms", 40) as simulator:
            archive = self.archive(simulator)
            process = archive.start("--json", "sync", stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            with running(process):
                time.sleep(3)
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=15)
            self.assertEqual(process.returncode, 130)
            stored = archive.json("stats")
            self.assertGreater(stored["items"], 0)
            before = {tuple(e["path"].split("/messages/")[1:]) for e in simulator.requests("value")
                      if e["status"] == 200 and e["complete"]}
            simulator.control("reset-metrics", {})
            archive.sync()
            self.assert_archived(simulator, archive)
            self.assertGreater(len(before), 0)
            doubled = simulator.metrics().get("refetched", {})
            self.assertEqual(doubled, {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
