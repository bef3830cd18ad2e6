"""What all cases measure with: whole processes, and the table that is printed."""

import base64
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

ROWS = []


def row(case, figure, value, limit="", good=None):
    verdict = "" if good is None else ("ok" if good else "MISSED")
    ROWS.append((case, figure, value, limit, verdict))
    print(f"{case:<38} {figure:<34} {value:>14} {limit:>14} {verdict}", flush=True)


def measured(archive, *arguments):
    """The document of a run, with its wall seconds, CPU seconds and peak memory in MB."""
    output = tempfile.TemporaryFile()
    started = time.monotonic()
    process = archive.start("--json", *arguments, stdout=output, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - started
    output.seek(0)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}\n{output.read().decode()}")
    return json.load(output), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def own_mail(folder, count):
    """Mail of a few kilobytes, some with an attachment; the same for every run."""
    rng = random.Random(1)
    words = [f"word{i:04d}" for i in range(4000)]
    for number in range(count):
        body = " ".join(rng.choices(words, k=rng.randrange(100, 900)))
        text = (f"From: a{number % 97}@contoso.example\r\nTo: b@contoso.example\r\n"
                f"Subject: message {number}\r\nMessage-ID: <{number}@contoso.example>\r\n"
                f"Date: Mon, 28 Sep 2026 21:03:05 +0000\r\n\r\n{body}\r\n")
        if rng.random() < 0.1:
            text += base64.encodebytes(rng.randbytes(rng.randrange(20_000, 300_000))).decode()
        path = folder / f"{number // 1000:03d}"
        path.mkdir(parents=True, exist_ok=True)
        (path / f"{number}.eml").write_bytes(text.encode())


def mail_folder(folder, count):
    """OPENARCHIVER_BENCH_MAIL, or mail of our own."""
    given = os.environ.get("OPENARCHIVER_BENCH_MAIL")
    if given:
        return pathlib.Path(given)
    own_mail(folder / "mail", count)
    return folder / "mail"


def size_of(folder):
    return sum(p.stat().st_size for p in pathlib.Path(folder).rglob("*") if p.is_file())


def process(command, output=subprocess.DEVNULL, **options):
    """Wall seconds, CPU seconds and peak memory in MB of a command and its children."""
    started = time.monotonic()
    errors = tempfile.TemporaryFile()
    child = subprocess.Popen(command, stdout=output, stderr=errors, **options)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        errors.seek(0)
        raise SystemExit(f"{command}: exit code {child.returncode}\n"
                         f"{errors.read().decode(errors='replace')[-2000:]}")
    return (time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
