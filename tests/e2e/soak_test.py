"""A tenant that changes at random, a service that fails at random, an engine that is killed at
random: in the end the archive equals the tenant.

The operations follow from the seed alone. When they meet the engine's requests does not: a failure
found here deserves a test of its own that shows it every time.

    OPENARCHIVER_TEST_SEED     the seed; without it, a fixed one
    OPENARCHIVER_SOAK_SECONDS  how long to go on (default 45)
    OPENARCHIVER_SOAK_ROUNDS   how many rounds at most
    OPENARCHIVER_SOAK_KEEP     a folder that keeps archive and operations of a failure
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time
import unittest

from fault_catalogue import random_fault
from harness import NOT_ARCHIVED, ArchiverTest, Simulator, running

SEED = int(os.environ.get("OPENARCHIVER_TEST_SEED", "20261125"))
SECONDS = float(os.environ.get("OPENARCHIVER_SOAK_SECONDS", "45"))
ROUNDS = int(os.environ.get("OPENARCHIVER_SOAK_ROUNDS", "100000"))
KEEP = os.environ.get("OPENARCHIVER_SOAK_KEEP", "")

# Seeds that failed, the rounds it took, and what they found. They repeat it while operations and
# faults stay as they are; what they found has tests of its own as well.
FOUND = {
    8: (8, "each mark on a draft brought a version with the same bytes"),
    10: (8, "an error with status 200 was archived as the bytes of a message"),
}

# What a sync may end with while the service fails: done, partly, refused, unreachable.
UNDER_FAULTS = (0, 1, 3, 7)
# A change that is this old when a sync begins is visible to it.
SETTLED_SECONDS = 2.0
# What happens to a tenant, and how often.
OPERATIONS = {
    "deliver": 20, "move": 14, "there_and_back": 6, "delete": 8, "trash": 4, "touch": 8,
    "draft": 5, "send": 8, "folder_create": 4, "folder_rename": 3, "folder_move": 3,
    "folder_delete": 2, "folder_recreate": 2, "user_add": 1, "user_remove": 1, "user_restore": 3,
    "user_rename": 1, "expire": 3, "token": 2}
MAX_MESSAGES = 90  # for each user, so that the tenant does not grow without bound


class Mutations:
    """Changes a tenant at random, and keeps what was done to each message."""

    def __init__(self, simulator, rng, record):
        self.simulator = simulator
        self.rng = rng
        self.record = record
        self.began = time.monotonic()
        self.touched = {}  # (user, message) -> when it was last changed
        self.visited = {}  # (user, message) -> folders it was moved out of
        self.names = 0
        # Each seed has a kind of change that it sees most of.
        often = rng.choice((("deliver",), ("move", "there_and_back"), ("draft", "send", "touch"),
                            ("folder_move", "folder_delete", "folder_recreate", "folder_create"),
                            ("delete", "trash", "expire")))
        self.weights = [w * 4 if op in often else w for op, w in OPERATIONS.items()]

    def control(self, path, **body):
        self.record({"control": path, **body})
        return self.simulator.control(path, body)

    def name(self):
        self.names += 1
        return self.rng.choice(("Projects {}", "Café/{}", "..{}", "inbox{}", "日本 {}", "a'b {}")) \
            .format(self.names)

    def step(self):
        users = [u for u in self.simulator.users()
                 if u["type"] != "Guest" and u["mailbox"] == "enabled"]
        present = [u for u in users if not u["removed"]]
        user = self.rng.choice(present)
        alive = [m for m in user["messages"] if not m["deleted"]]
        folders = [f for f in user["folders"] if not f["deleted"] and not f["search"]]
        homes = [f for f in folders if f["well_known"] not in NOT_ARCHIVED - {"drafts"}
                 and f["well_known"] not in ("msgfolderroot", "outbox")]
        own = [f for f in homes if not f["well_known"]]
        # Nothing goes below a folder that is not archived: what is there is no longer watched.
        parents = [f for f in homes if f["well_known"] != "drafts"]
        choice = self.rng.choices(list(OPERATIONS), self.weights)[0]
        uid = user["id"]
        if choice == "deliver" and len(alive) < MAX_MESSAGES:
            home = self.rng.choice(homes)
            if home["well_known"] == "drafts":
                return
            body = {"count": self.rng.randrange(1, 6)}
            if self.rng.random() < 0.1:
                body = {"size": self.rng.choice((1, 300_000, 1_500_000))}
            done = self.control("deliver", user=uid, folder=home["id"], **body)
            self.touch(uid, *(m["id"] for m in done["messages"]))
        elif choice == "move" and alive:
            self.move(uid, self.rng.choice(alive), self.rng.choice(homes)["id"])
        elif choice == "there_and_back" and alive:
            message = self.rng.choice(alive)
            for home in self.rng.sample(homes, min(len(homes), self.rng.randrange(1, 4))):
                self.move(uid, message, home["id"])
            self.move(uid, message, message["folder"])
        elif choice in ("delete", "trash") and alive:
            message = self.rng.choice(alive)
            if choice == "trash":
                self.leaves(uid, message)
            self.control("delete", user=uid, message=message["id"], to_trash=choice == "trash")
            self.touch(uid, message["id"])
        elif choice == "touch" and alive:
            self.control("touch", user=uid, message=self.rng.choice(alive)["id"])
        elif choice == "draft":
            done = self.control("deliver", user=uid, folder="drafts", count=1, draft=True)
            self.touch(uid, *(m["id"] for m in done["messages"]))
        elif choice == "send":
            drafts = [m for m in alive if m["draft"]]
            if drafts:
                message = self.rng.choice(drafts)
                self.leaves(uid, message)
                self.control("send-draft", user=uid, message=message["id"])
                self.touch(uid, message["id"])
        elif choice == "folder_create" and len(own) < 12:
            self.control("folders", op="create", user=uid, name=self.name(),
                         parent=self.rng.choice(parents)["id"], hidden=self.rng.random() < 0.2)
        elif choice == "folder_rename" and own:
            self.control("folders", op="rename", user=uid, folder=self.rng.choice(own)["id"],
                         name=self.name())
        elif choice == "folder_move" and own:
            folder, parent = self.rng.choice(own), self.rng.choice(parents)
            if not self.below(parent, folder, folders):
                self.control("folders", op="move", user=uid, folder=folder["id"],
                             parent=parent["id"])
        elif choice in ("folder_delete", "folder_recreate") and own:
            folder = self.rng.choice(own)
            gone = {f["id"] for f in folders if self.below(f, folder, folders)}
            self.touch(uid, *(m["id"] for m in alive if m["folder"] in gone))
            self.control("folders", op="delete", user=uid, folder=folder["id"])
            if choice == "folder_recreate":
                self.control("folders", op="create", user=uid, name=folder["name"],
                             parent=folder["parent"])
        elif choice == "user_add" and len(present) < 6:
            new = self.control("users", op="add", name=f"New Person {self.rng.randrange(10**6)}",
                               messages=self.rng.randrange(0, 12))["id"]
            mailbox = next(u for u in self.simulator.users() if u["id"] == new)
            self.touch(new, *(m["id"] for m in mailbox["messages"]))
        elif choice == "user_remove" and len(present) > 2:
            self.control("users", op="remove", user=uid)
        elif choice == "user_restore" and len(present) < len(users):
            back = self.rng.choice([u for u in users if u["removed"]])["id"]
            self.control("users", op="restore", user=back)
        elif choice == "user_rename":
            self.control("users", op="rename", user=uid,
                         upn=f"renamed{self.rng.randrange(10**9)}@contoso.example")
        elif choice == "expire":
            everything = self.rng.random() < 0.3
            self.control("expire-delta", **({} if everything else {"user": uid}))
        elif choice == "token":
            self.control("expire-tokens")

    def move(self, user, message, folder):
        self.leaves(user, message)
        self.control("move", user=user, message=message["id"], folder=folder)
        self.touch(user, message["id"])

    def leaves(self, user, message):
        self.visited.setdefault((user, message["id"]), set()).add(message["folder"])

    def touch(self, user, *messages):
        for message in messages:
            self.touched[user, message] = time.monotonic()

    @staticmethod
    def below(folder, top, folders):
        parents = {f["id"]: f["parent"] for f in folders}
        at = folder["id"]
        while at is not None:
            if at == top["id"]:
                return True
            at = parents.get(at)
        return False


class SoakTest(ArchiverTest):
    def test_the_archive_equals_the_tenant_after_anything(self):
        self.soak(SEED, SECONDS, ROUNDS)

    def test_seeds_that_failed(self):
        for seed, (rounds, found) in FOUND.items():
            with self.subTest(seed=seed, found=found):
                self.soak(seed, SECONDS / 3, rounds)

    def soak(self, seed, seconds, rounds):
        self.operations = []
        try:
            self.run_soak(seed, time.monotonic() + seconds, rounds)
        except BaseException:
            log = "\n".join(json.dumps(o, ensure_ascii=False) for o in self.operations)
            print(f"\nseed {seed} failed; its last operations:\n{log[-6000:]}", flush=True)
            if KEEP:
                kept = pathlib.Path(KEEP) / f"seed-{seed}"
                shutil.copytree(self.folder, kept, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("*.sock"))
                (kept / "operations.jsonl").write_text(log)
            raise

    def record(self, operation):
        self.operations.append({"at": round(time.time(), 2), **operation})

    def run_soak(self, seed, until, rounds):
        rng = random.Random(seed)
        with Simulator("--users", 3, "--messages", rng.choice((10, 40)), "--folders", 3,
                       "--seed", seed, "--latency-ms", rng.choice((0, 3, 15, 40)),
                       "--extras") as simulator:
            drafts = rng.random() < 0.5
            self.archived_too = {"drafts"} if drafts else set()
            config = {"folders": {"include": ["*", "drafts"]}} if drafts else {}
            archive = self.archive(simulator, f"seed-{seed}", **config)
            archive.profile["sources"][0]["schedule"] = {"every": "1s"}  # for `serve`
            archive.write_profile()
            mutations = Mutations(simulator, rng, self.record)
            promised = {}  # (user, message, sha256): what a complete sync must have seen
            done = kills = 0
            while done < rounds and time.monotonic() < until:
                done += 1
                kills += self.one_round(rng, simulator, archive, mutations, promised)
            simulator.control("faults", method="DELETE")
            simulator.control("settings", {
                "empty_pages": False, "immutable_loss": False, "replay": 0,
                "partial_flips": False, "delay_changes_ms": 0, "preference_applied": True,
                "page_size_max": 1000})
            self.record({"end": "no faults from here on"})
            print(f"seed {seed}: {done} rounds, {kills} kills, {len(self.operations)} operations",
                  flush=True)
            archive.run("sync", expect=None)
            archive.run("failures", "--retry", expect=None)
            archive.run("sync", "--reconcile")
            archive.sync()
            self.assert_equal_to_tenant(simulator, archive, promised)

    def one_round(self, rng, simulator, archive, mutations, promised):
        simulator.control("faults", method="DELETE")
        settings = {
            "empty_pages": rng.random() < 0.2, "immutable_loss": rng.random() < 0.3,
            "replay": rng.choice((0, 0, 5, 1000)), "partial_flips": rng.random() < 0.3,
            "delay_changes_ms": rng.choice((0, 0, 500)), "preference_applied": rng.random() < 0.8,
            "page_size_max": rng.choice((1000, 1000, 7, 3)),
            "chunk_size": rng.choice((16384, 16384, 100))}
        self.record({"settings": settings})
        simulator.control("settings", settings)
        for _ in range(rng.randrange(0, 12)):
            mutations.step()
        faults = [random_fault(rng, simulator.users()) for _ in range(rng.choice((0, 1, 2, 4)))]
        for fault in faults:
            self.record({"fault": fault})
            simulator.control("faults", fault)
        during = [rng.uniform(0, 0.2) for _ in range(rng.choice((0, 0, 3, 8, 20)))]
        kill_after = rng.choice((None, rng.uniform(0.02, 1.5)))
        kill_with = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGINT))
        reconcile = rng.random() < 0.15
        patience = rng.uniform(3, 8)
        serve = rng.random() < 0.15

        if rng.random() < 0.08:
            self.rebuild_killed_once(archive, rng.uniform(0.01, 0.3))
        if rng.random() < 0.08:
            self.record({"failures": "--retry"})
            archive.run("failures", "--retry", expect=None, timeout=300)

        before = self.visible(simulator)
        began = time.monotonic()
        command = ["serve"] if serve else \
            ["--json", "sync", *(["--reconcile"] if reconcile else [])]
        process = archive.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        killed = False
        with running(process):
            for pause in during:
                time.sleep(pause)
                mutations.step()
            try:
                left = None if kill_after is None else kill_after - (time.monotonic() - began)
                process.wait(patience if left is None else max(0.0, left))
            except subprocess.TimeoutExpired:
                killed = True
                process.send_signal(kill_with if kill_after is not None else signal.SIGKILL)
            output, errors = process.communicate(timeout=60)
        code = process.returncode
        self.record({"command": command, "code": code,
                     "seconds": round(time.monotonic() - began, 2)})
        # Interrupted before it could catch the signal, it simply ends by it.
        if killed and code in (-signal.SIGKILL, -signal.SIGINT, 0 if serve else 130):
            return 1
        self.assertIn(code, UNDER_FAULTS, (output + errors).decode(errors="replace")[-3000:])
        if code == 0:
            # Complete: what was there all the time, in one folder, is archived from here on.
            after = self.visible(simulator)
            for key, message in before.items():
                calm = began - mutations.touched.get(key, mutations.began) > SETTLED_SECONDS
                moved_back = message["folder"] in mutations.visited.get(key, ())
                if calm and not moved_back and after.get(key) == message:
                    promised[(*key, message["sha256"])] = len(self.operations)
        return 0

    def rebuild_killed_once(self, archive, after):
        self.record({"rebuild": "killed", "after": after})
        shutil.rmtree(archive.folder / "catalog", ignore_errors=True)
        if not (archive.folder / "archive" / "archive").exists():
            return
        process = archive.start("rebuild", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with running(process):
            time.sleep(after)
        archive.run("rebuild")
        archive.run("verify", "--quick")

    def visible(self, simulator):
        """(user, message) -> message, of what a sync shows."""
        result = {}
        for user in simulator.tenant()["users"]:
            if user["mailbox"] != "enabled" or user["removed"] or user["type"] == "Guest":
                continue
            archived = self.archived_folders(user)
            for message in user["messages"]:
                if not message["deleted"] and message["folder"] in archived:
                    result[user["id"], message["id"]] = message
        return result

    def archived_folders(self, user):
        """Id -> path of display names, of the folders that are archived."""
        folders = {f["id"]: f for f in user["folders"]}
        result = {}
        for folder in user["folders"]:
            if folder["deleted"] or folder["search"]:
                continue
            path, at, left_out = [], folder, False
            while at is not None and at["well_known"] != "msgfolderroot":
                left_out |= at["well_known"] in NOT_ARCHIVED - self.archived_too
                path.insert(0, at["name"])
                at = folders.get(at["parent"])
            if not left_out:
                result[folder["id"]] = path
        return result

    def assert_equal_to_tenant(self, simulator, archive, promised):
        archive.run("verify")
        entries = self.fresh_export(archive)
        by_item = {}
        for entry in entries:
            by_item.setdefault((entry["account"], entry["item"]), []).append(entry)
        known = {}
        paths = {}
        removed = set()
        for user in simulator.tenant()["users"]:
            paths[user["id"]] = self.archived_folders(user)
            if user["removed"]:
                removed.add(user["id"])
            for message in user["messages"]:
                known[user["id"], message["id"]] = message
        failures = archive.json("failures", expect=None)["failures"]
        self.assertEqual([f for f in failures if f["account"] not in removed], [])
        visible = self.visible(simulator)
        for key, versions in by_item.items():
            self.assertIn(key, known, "an item that never was")
            # A reconstruction is of bytes that could not be had; it may stand in until they can.
            digests = [v["sha256"] for v in versions if v["fidelity"] == "exact"]
            self.assertEqual(len(set(digests)), len(digests), f"{key}: a version twice: {versions}")
            possible = {known[key]["sha256"], *known[key]["earlier_sha256"]}
            self.assertEqual(set(digests) - possible, set(), f"{key}: bytes that never were")
        for (user, message, digest), when in promised.items():
            held = {v["sha256"] for v in by_item.get((user, message), ())}
            self.assertIn(digest, held, f"{user} {message} was there during a complete sync "
                          f"(operation {when}) and is not archived")
        missing = set(visible) - set(by_item)
        self.assertEqual(missing, set(), "messages are missing")
        for key, versions in by_item.items():
            newest = max(versions, key=lambda v: v["version"])
            if key[0] in removed:
                continue
            self.assertEqual(newest["in_mailbox"], key in visible, (key, newest, known[key]))
            if key in visible:
                self.assertEqual(newest["sha256"], visible[key]["sha256"], key)
                self.assertEqual(newest["size"], visible[key]["size"], key)
                self.assertEqual(newest["folders"], [paths[key[0]][visible[key]["folder"]]],
                                 (key, newest))
        shutil.rmtree(archive.folder / "catalog")
        archive.run("rebuild")
        self.assertEqual(self.fresh_export(archive), entries, "rebuild shows something else")


if __name__ == "__main__":
    unittest.main(verbosity=2)
