"""A program in another language as a provider: archived as any other, and contained whatever it does."""

import json
import pathlib
import signal
import subprocess
import time
import unittest

from harness import Archive, ArchiverTest, running, wait_until

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "sdk" / "examples" / "mailing-lists"

HOSTILE = '''
import json, os, pathlib, sys, time
def say(value):
    print(json.dumps(value), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    result = {"hello": {"protocol": 1}, "check": {}, "probe": {}, "accounts": {"accounts": [{"id": "a"}]},
              "folders": {"folders": [{"id": "f"}]}, "items": {"items": [{"id": "i"}]}}.get(request["call"])
    if request["call"] == pathlib.Path("when").read_text():
        pathlib.Path("pid").write_text(str(os.getpid()))
        exec(pathlib.Path("what").read_text())
    if request["call"] == "content":
        say({"id": request["id"], "bytes": 6})
        print("hello", flush=True)
        result = {"size": 6}
    say({"id": request["id"], "result": result})
'''


class Lists:
    """The fixture of the example, left running: its service, and changes of it."""

    def __init__(self, test):
        self.process = subprocess.Popen([EXAMPLE / "tests" / "fixture"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.stdout.close)
        test.addCleanup(self.process.stdin.close)
        answer = self.ask("start")
        self.config = json.loads(next(line for line in answer if line.startswith("config ")).partition(" ")[2])
        self.secret = next(line for line in answer if line.startswith("secret ")).split()[-1]

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = []
        while (line := self.process.stdout.readline().rstrip("\n")) not in ("ready", "done"):
            assert line, answer
            answer.append(line)
        return answer

    def apply(self, change):
        self.ask("apply " + change)


class ProgramTest(ArchiverTest):
    def site(self, lists, secret=None, **changes):
        config = lists.config | {"secrets": [{"name": "token", "value": secret or lists.secret}]} | changes
        return Archive(self.folder / "site", config, provider="subprocess")


class Archiving(ProgramTest):
    def test_what_is_there_comes_changes_and_leaves(self):
        lists = Lists(self)
        archive = self.site(lists)
        checks = archive.json("source", "check", "contoso")["checks"]
        self.assertEqual([(c["name"], c["outcome"]) for c in checks],
                         [("program runs", "pass"), ("lists readable", "pass")])
        self.assertEqual(checks[0]["detail"], "mailing lists 0.1.0")
        document = archive.sync()
        self.assertEqual((document["items"]["new"], document["items"]["failed"]), (233, 0), document)
        again = archive.sync()
        self.assertEqual((again["items"]["new"], again["bytes_downloaded"]), (0, 0))
        for change in ("somebody posts", "a message is edited", "a message is held", "a message is withdrawn",
                       "a message is in two folders"):
            lists.apply(change)
        changed = archive.sync()["items"]
        self.assertEqual((changed["new"], changed["changed"], changed["left"]), (1, 1, 1), changed)
        entries = self.fresh_export(archive)
        self.assertEqual(len(entries), 235)
        large = next(e for e in entries if e["item"] == "dev-large")
        self.assertGreater(large["size"], 2_900_000)
        self.assertEqual(len([e for e in entries if len(e["folders"]) == 2]), 1)
        archive.run("verify")

    def test_old_changes_are_forgotten_and_nothing_comes_twice(self):
        lists = Lists(self)
        archive = self.site(lists)
        archive.sync()
        lists.apply("old changes are forgotten")
        anew = archive.sync()
        self.assertEqual((anew["items"]["new"], anew["items"]["left"], anew["bytes_downloaded"]), (0, 0, 0), anew)

    def test_a_message_that_is_lost_is_a_failure_of_its_own(self):
        lists = Lists(self)
        lists.apply("a message is lost")
        archive = self.site(lists)
        document = archive.sync(expect=1)
        self.assertEqual((document["items"]["new"], document["items"]["failed"]), (232, 1), document)
        self.assertIn("corrupt", json.dumps(archive.json("failures", expect=None)))

    def test_a_wrong_secret_is_told_and_shown_to_nobody(self):
        archive = self.site(Lists(self), secret="wrong-secret-value")
        done = archive.run("sync", expect=3)
        self.assertNotIn(b"wrong-secret-value", done.stdout + done.stderr)

    def test_killed_and_resumed(self):
        lists = Lists(self)
        archive = self.site(lists)
        with running(archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)) as process:
            wait_until(lambda: any((archive.folder / "archive").rglob("*")), what="the archive")
            time.sleep(0.3)
            children = self.children_of(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
        # Its programs notice that nobody asks any more.
        wait_until(lambda: not any(self.alive(child) for child in children), what="the programs end")
        archive.sync()
        self.assertEqual(archive.json("stats")["items"], 233)
        archive.run("verify")

    @staticmethod
    def children_of(pid):
        text = pathlib.Path(f"/proc/{pid}/task")
        return [int(child) for task in text.iterdir() for child in (task / "children").read_text().split()]

    @staticmethod
    def alive(pid):
        try:
            return " Z " not in pathlib.Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return False


class Contained(ProgramTest):
    """The source asks for a person, the service and the other sources go on."""

    def check(self, call, what, *words, **settings):
        site = self.folder / "site"
        site.mkdir()
        (site / "program.py").write_text(HOSTILE)
        (site / "when").write_text(call)
        (site / "what").write_text(what)
        mail = site / "mail"
        mail.mkdir()
        (mail / "one.eml").write_bytes(b"Subject: one\r\n\r\ntext\r\n")
        archive = Archive(site, {"command": ["python3", "program.py"]} | settings, provider="subprocess")
        archive.profile["sources"][0]["schedule"] = {"every": "2s"}
        archive.profile["sources"].append({"id": "local", "name": "Local", "provider": "mailfiles",
                                           "config": {"paths": ["mail"]}, "schedule": {"every": "1s"}})
        archive.write_profile()
        with open(site / "log", "w+b") as log, running(archive.start("serve", stdout=log, stderr=log)) as service:
            def live():
                return {s["id"]: s for s in archive.json("status", expect=None)["sources"]}

            wait_until(lambda: (site / "pid").exists() and (site / "pid").read_text(), what="it misbehaves")
            pid = int((site / "pid").read_text())
            wait_until(lambda: live()["contoso"]["status"] in ("attention", "error"), what="the source asks for a person")
            text = (site / "log").read_text(errors="replace") + json.dumps(archive.json("failures", expect=None))
            text += json.dumps(live())
            for word in words:
                self.assertIn(word, text)
            (mail / "two.eml").write_bytes(b"Subject: two\r\n\r\ntext\r\n")
            wait_until(lambda: live()["local"]["items"] == 2, what="the other source goes on")
            self.assertLess((site / "log").stat().st_size, 2_000_000)
            service.terminate()
            self.assertEqual(service.wait(30), 0)
        self.assertFalse(Archiving.alive(pid), "nothing of it is left")

    def test_one_that_hangs(self):
        self.check("items", "time.sleep(600)", "within 1 s", answer_seconds=1)

    def test_one_that_dies(self):
        self.check("folders", "sys.exit(7)", "exit code 7")

    def test_one_that_floods_its_output(self):
        self.check("accounts", "while True: print('x' * 65536, end='')", "longer than 4 MiB")

    def test_one_that_floods_its_errors(self):
        self.check("accounts", "while True: print('a line of noise', file=sys.stderr)", "within 1 s",
                   "lines are left out", answer_seconds=1)

    def test_one_that_answers_another_request(self):
        self.check("items", "request['id'] += 5", "was asked")

    def test_one_that_lies_about_a_size(self):
        self.check("content", "say({'id': request['id'], 'bytes': 6}); print('other', flush=True)", "and sent 12 bytes")

    def test_one_that_writes_no_json(self):
        self.check("items", "print('<html>', flush=True)", "no JSON object")

    def test_one_that_writes_no_utf8(self):
        self.check("items", r"sys.stdout.buffer.write(b'{\"id\": \"\xff\"}\n'); sys.stdout.flush()", "no JSON object")

    def test_one_that_takes_too_much_memory(self):
        self.check("items", "x = bytearray(1 << 30)", "MemoryError", memory_mib=256)

    def test_one_that_is_given_ids_without_bounds(self):
        self.check("items", "result = {'items': [{'id': 'x' * 5000}]}", "id")


if __name__ == "__main__":
    unittest.main()
