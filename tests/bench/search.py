"""Full-text search: indexing beside mu and notmuch on the same mail in one run, and how long queries take.

OPENARCHIVER_BENCH_SITE is a folder for the archive that is kept: of a large one queries can be measured again."""

import collections
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

from figures import mail_folder, measured, process, row, size_of
from harness import Archive

QUERIES = 40  # of each kind
SAMPLE = 3000  # messages that words are taken from
PEERS_UP_TO = 200_000  # messages; of more they would take hours


class Mu:
    name = "mu"

    def __init__(self, mail, folder):
        self.home = f"--muhome={folder / 'mu'}"
        self.index_folder = folder / "mu"
        subprocess.run(["mu", "init", self.home, f"--maildir={mail}"], check=True, stdout=subprocess.DEVNULL)

    def index(self):
        return process(["mu", "index", self.home, "--quiet"])

    def find(self, query):
        return ["mu", "find", self.home, "--maxnum=50", "--sortfield=date", "--reverse", query]


class Notmuch:
    name = "notmuch"

    def __init__(self, mail, folder):
        config = folder / "notmuch-config"
        self.index_folder = folder / "notmuch"
        self.index_folder.mkdir()
        config.write_text(f"[database]\npath={self.index_folder}\nmail_root={mail}\n[user]\nname=x\nprimary_email=x@example.org\n"
                          "[new]\ntags=new\n")
        self.environment = {**os.environ, "NOTMUCH_CONFIG": str(config)}

    def index(self):
        return process(["notmuch", "new", "--quiet"], env=self.environment)

    def find(self, query):
        return ["env", f"NOTMUCH_CONFIG={self.environment['NOTMUCH_CONFIG']}", "notmuch", "search", "--limit=50", "--", query]


def words_of(files):
    """Words by how many of the sampled messages have them, and pairs of neighbours."""
    seen = collections.Counter()
    pairs = []
    rng = random.Random(1)
    for path in rng.sample(files, min(SAMPLE, len(files))):
        words = re.findall(r"\b[a-z]{3,12}\b", re.split(rb"\r?\n\r?\n", path.read_bytes()[:20_000], maxsplit=1)[-1].decode("ascii", "ignore").lower())
        seen.update(set(words))
        pairs += [f'"{a} {b}"' for a, b in zip(words[5:9], words[6:10])]
    ranked = [word for word, _ in seen.most_common()]
    return {"one word": ranked[200:200 + QUERIES], "phrase": rng.sample(pairs, min(QUERIES, len(pairs))),
            "prefix": [f"{word[:4]}*" for word in ranked[300:300 + QUERIES]],
            "rare": ranked[-QUERIES:], "very common": ranked[:QUERIES],
            "two words": [f"{a} {b}" for a, b in zip(ranked[100:100 + QUERIES], ranked[400:])],
            "one word in a month": [f"{word} after:2002-06 before:2002-07" for word in ranked[100:100 + QUERIES]]}


def quantiles(milliseconds):
    ordered = sorted(milliseconds)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def search(folder):
    mail = mail_folder(folder, 20_000)
    if not os.environ.get("OPENARCHIVER_BENCH_MAIL"):
        for place in list(mail.iterdir()):  # mu and notmuch want Maildirs
            (place / "cur").mkdir()
            for file in place.glob("*.eml"):
                file.rename(place / "cur" / file.name)
            for name in ("new", "tmp"):
                (place / name).mkdir()
    files = [p for p in mail.rglob("*") if p.is_file()]
    site = pathlib.Path(os.environ.get("OPENARCHIVER_BENCH_SITE", folder / "site"))
    imported = (site / "catalog").exists()
    archive = Archive(site, {"paths": [str(mail)]}, provider="mailfiles")
    archive.profile["archive"]["search"] = {"attachments": False}  # the others don't read them either
    archive.write_profile()
    if imported:
        return queries(archive, files, [])
    size = sum(len(p.read_bytes()) for p in files)  # into memory, too
    row("the mail", "messages, MB", f"{len(files)}, {size / 1e6:.0f}")
    _, wall, cpu, peak = measured(archive, "sync")
    index = archive.folder / "catalog" / "search.db"
    row("OpenArchiver, import included", "messages/s; wall, CPU s, peak MB",
        f"{len(files) / wall:.0f}; {wall:.1f}, {cpu:.1f}, {peak:.0f}")
    row("OpenArchiver", "index MB, bytes a message", f"{index.stat().st_size / 1e6:.0f}, {index.stat().st_size / len(files):.0f}")
    tools = []
    for kind, limit in ((Mu, 2), (Notmuch, 4)):
        if not shutil.which(kind.name) or len(files) > PEERS_UP_TO:
            print(f"{kind.name} is left out: it is not installed, or there is too much mail for it", file=sys.stderr)
            continue
        place = folder / f"of-{kind.name}"
        place.mkdir()
        tool = kind(mail, place)
        tools.append(tool)
        their_wall, their_cpu, their_peak = tool.index()
        row(kind.name, "messages/s; wall, CPU s, peak MB",
            f"{len(files) / their_wall:.0f}; {their_wall:.1f}, {their_cpu:.1f}, {their_peak:.0f}")
        row(kind.name, "index MB", f"{size_of(tool.index_folder) / 1e6:.0f}")
        row(f"OpenArchiver to {kind.name}", "messages/s", f"{their_wall / wall:.2f}", f">= {limit}", their_wall / wall >= limit)
    queries(archive, files, tools)


def ask(archive, asked):
    """Milliseconds in the index, and of the whole program, for each query."""
    inside, whole = [], []
    for query in asked:
        started = time.monotonic()
        output = subprocess.run(archive.command("--json", "search", query), check=True, capture_output=True).stdout
        whole.append((time.monotonic() - started) * 1000)
        inside.append(json.loads(output.splitlines()[-1])["summary"]["milliseconds"])
    return inside, whole


def queries(archive, files, tools):
    for kind, asked in words_of(files).items():
        # Twice: what is read for the first time comes from the disk.
        (first, _), (inside, whole) = ask(archive, asked), ask(archive, asked)
        median, worst = quantiles(inside)
        row(f"query: {kind}", "p50, p99 ms", f"{median:.1f}, {worst:.1f}", "p99 <= 50", worst <= 50)
        row(f"query: {kind}", "... asked for the first time", "{:.1f}, {:.1f}".format(*quantiles(first)))
        row(f"query: {kind}", "... with the program's start", "{:.0f}, {:.0f}".format(*quantiles(whole)))
        if "month" in kind:
            continue
        for tool in tools:
            times = []
            for query in asked:
                started = time.monotonic()
                subprocess.run(tool.find(query), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                times.append((time.monotonic() - started) * 1000)
            row(f"query: {kind}", f"{tool.name}: p50, p99 ms", "{:.0f}, {:.0f}".format(*quantiles(times)))
