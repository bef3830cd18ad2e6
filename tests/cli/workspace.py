"""What every test of the whole program needs: a folder with mail and a profile, and the program."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["OPENARCHIVER_PROGRAM"]
PLUGINS = os.environ["OPENARCHIVER_TEST_PLUGINS"]
NOBODY = 65534  # a user of every system


class Result:
    def __init__(self, completed):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    @property
    def document(self):
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


class WorkspaceTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="openarchiver-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.profile = self.folder / "openarchiver.json"
        self.mail = self.folder / "mail" / "ada"
        self.mail.mkdir(parents=True)
        self.script = self.folder / "script"
        self.services = []
        self.addCleanup(self.kill_services)

    # The profile.

    def mailfiles_source(self, source_id="local", every="1h", path=None):
        return {"id": source_id, "name": "Local mail", "provider": "mailfiles",
                "config": {"paths": [str(path or self.mail)], "settle_seconds": 0}, "schedule": {"every": every}}

    def troubled_source(self, source_id="troubled", every="1h", script=None):
        return {"id": source_id, "name": "Troubled", "provider": "troubled",
                "config": {"script": str(script or self.script)}, "schedule": {"every": every}}

    def profile_of(self, *sources, archive=None):
        """The profile of these sources; `archive` is merged into the archive section."""
        section = {"storage": {"backend": "filesystem", "config": {"root": "./archive"}},
                   "free_space_floor": 0}
        section.update(archive or {})
        return {"version": 1, "archive": section, "sources": list(sources),
                "plugins": {"path": [PLUGINS]}}

    def write_profile(self, *sources, archive=None):
        self.profile.write_text(json.dumps(self.profile_of(*sources, archive=archive)))

    def behave(self, *lines, script=None):
        """Tells the troubled provider what to do from now on."""
        script = script or self.script
        fresh = script.with_suffix(".new")
        fresh.write_text("".join(line + "\n" for line in lines))
        fresh.rename(script)

    # Mail.

    def add_mail(self, name, text="Hello.", folder=None):
        folder = folder or self.mail
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.eml").write_bytes(
            f"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: {name}\r\n"
            f"Message-ID: <{name}@example.org>\r\n\r\n{text}\r\n".encode())

    # The program.

    def command(self, *arguments):
        return [PROGRAM, "--profile", str(self.profile), *arguments]

    def run_program(self, *arguments, environment=None, cwd=None, with_profile=True):
        command = self.command(*arguments) if with_profile else [PROGRAM, *arguments]
        values = {key: value for key, value in os.environ.items()
                  if not key.startswith("OPENARCHIVER_")}
        values.update(environment or {})
        return Result(subprocess.run(command, cwd=cwd or self.folder, env=values, text=True,
                                     capture_output=True, timeout=120, check=False))

    def as_nobody(self, *arguments, start=False):
        """The program as another user of the system, who may do everything here."""
        if os.geteuid() != 0:
            self.skipTest("only root can be two users of the system")
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        if start:
            return subprocess.Popen(self.command(*arguments), cwd=self.folder, user=NOBODY,
                                    group=NOBODY, extra_groups=[], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        return Result(subprocess.run(self.command(*arguments), cwd=self.folder, user=NOBODY,
                                     group=NOBODY, extra_groups=[], text=True, timeout=120,
                                     capture_output=True, check=False))

    def run_ok(self, *arguments):
        result = self.run_program(*arguments)
        self.assertEqual(result.code, 0, result.err + result.out)
        return result

    def sync(self):
        return self.run_ok("sync", "--json").document

    # The service.

    def serve(self):
        log = open(self.folder / f"service-{len(self.services)}.log", "wb")
        self.addCleanup(log.close)
        service = subprocess.Popen(self.command("serve"), cwd=self.folder, stdout=log, stderr=log)
        service.log_path = pathlib.Path(log.name)
        self.services.append(service)
        self.wait_for(lambda: "serving:" in self.log(service) or service.poll() is not None,
                      "the service starts", service)
        return service

    def log(self, service):
        return service.log_path.read_text(errors="replace")

    def stop(self, service, with_signal=signal.SIGTERM):
        """Stops it; its exit code and the seconds that it took."""
        started = time.monotonic()
        service.send_signal(with_signal)
        code = service.wait(timeout=30)
        return code, time.monotonic() - started

    def kill_services(self):
        for service in self.services:
            if service.poll() is None:
                service.kill()
                service.wait()

    def wait_for(self, condition, what, service=None, seconds=60):
        """Waits until `condition` returns something true, and returns that."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        self.fail(f"in vain: {what}\n" + (self.log(service) if service else ""))

    # Checks.

    def assert_error(self, result, exit_code, code, *words):
        """The program ended with this exit code and printed this error document."""
        self.assertEqual(result.code, exit_code, result.err + result.out)
        error = result.document["error"]
        self.assertEqual(error["code"], code, error)
        self.assertEqual(error["exit_code"], exit_code)
        for word in words:
            self.assertIn(word, error["message"])
        self.assertIn(error["message"].splitlines()[0], result.err)
