"""Runs the program under strace: killed at a chosen system call, or with all that it did to files
written down."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

# What changes a file system, or makes a change last.
CALLS = ("openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "renameat2",
         "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir")


def skip_unless_tracing_is_permitted():
    if not shutil.which("strace"):
        raise unittest.SkipTest("needs the package strace")
    done = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"tracing is not permitted here: {done.stderr.decode().strip()}")


def killed_at(command, call, number, timeout=120):
    """Runs it until a thread comes to its call of this name and number, which is not made any more.
    False where none comes that far, and the command ends."""
    done = subprocess.run(
        ["strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e",
         f"inject={call}:signal=KILL:when={number}", *command],
        capture_output=True, timeout=timeout)
    if done.returncode == 0:
        return False
    if done.returncode in (-9, 137):
        return True
    raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stderr.decode()}")


class Operation:
    """A call that succeeded: its name, its arguments as text, what it returned."""

    def __init__(self, name, arguments, result):
        self.name, self.arguments, self.result = name, arguments, result

    def texts(self):
        return [bytes.fromhex(t.replace("\\x", "")) for t in
                re.findall(r'"((?:\\x[0-9a-f]{2})*)"', self.arguments)]

    def numbers(self):
        """What is left of the arguments without texts, split."""
        return [a.strip() for a in re.sub(r'"[^"]*"', '""', self.arguments).split(",")]


LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$", re.DOTALL)


def operations(command, timeout=300):
    """Runs the command and returns its operations in the order in which they ended, and what it
    printed."""
    with tempfile.NamedTemporaryFile("r", encoding="latin-1") as trace:
        done = subprocess.run(
            ["strace", "-f", "-xx", "-s", "100000000", "-o", trace.name,
             "-e", "trace=" + ",".join(CALLS), "-e", "signal=none", *command],
            capture_output=True, timeout=timeout)
        if done.returncode != 0:
            raise AssertionError(f"{command}: exit code {done.returncode}\n{done.stderr.decode()}")
        found, begun = [], {}
        for line in trace:
            match = LINE.match(line.rstrip("\n"))
            if not match:
                continue
            process, resumed, name, rest = match.groups()
            if rest.endswith("<unfinished ...>"):
                begun[process] = rest.removesuffix("<unfinished ...>").rstrip()
                continue
            if resumed:
                rest = begun.pop(process) + rest
            arguments, _, result = rest.rpartition(") ")
            result = result.lstrip(" =").split(" ")[0]
            if arguments and re.fullmatch(r"\d+", result):
                found.append(Operation(resumed or name, arguments, int(result)))
        return found, done
