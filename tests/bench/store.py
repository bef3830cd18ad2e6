"""The store: side by side with restic and borg, and tar through zstd as the limit; how cost grows with
the number of messages; how soon a message is durable while others are imported."""

import json
import os
import pathlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

from figures import mail_folder, measured, own_mail, process, row, size_of
from harness import Archive, Simulator, graph_config, running

GATEWAY = pathlib.Path(__file__).resolve().parents[1] / "services/ceph-rgw.sh"
READS = 60


def quantiles(seconds):
    ordered = sorted(seconds)
    return (f"{statistics.median(ordered) * 1000:.0f}, "
            f"{ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000:.0f} ms")


class Restic:
    name = "restic"

    def __init__(self, folder):
        self.repository = folder / "repository"
        self.environment = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY":
                            str(self.repository), "RESTIC_CACHE_DIR": str(folder / "cache")}
        self.run("init")

    def run(self, *arguments, output=subprocess.DEVNULL):
        return process(["restic", *map(str, arguments)], output, env=self.environment)

    def ingest(self, mail):
        return self.run("backup", mail)

    def verify(self):
        return self.run("check", "--read-data")

    def files(self, target):
        return self.run("restore", "latest", "--target", target)

    def stream(self, file):
        with open(file, "wb") as output:
            return self.run("dump", "latest", "/", output=output)

    def read(self, path):
        return self.run("dump", "latest", path)

    def size(self):
        return size_of(self.repository)


class Borg(Restic):
    name = "borg"

    def __init__(self, folder):
        self.repository = folder / "repository"
        self.environment = {**os.environ, "BORG_PASSPHRASE": "bench", "BORG_BASE_DIR":
                            str(folder / "base"), "BORG_REPO": str(self.repository)}
        self.run("init", "-e", "repokey-blake2")

    def run(self, *arguments, output=subprocess.DEVNULL, **options):
        return process(["borg", *map(str, arguments)], output, env=self.environment, **options)

    def ingest(self, mail):
        return self.run("create", "--compression", "zstd,3", "::mail", mail)

    def verify(self):
        return self.run("check", "--verify-data")

    def files(self, target):
        target.mkdir()
        return self.run("extract", "::mail", cwd=target)

    def stream(self, file):
        with open(file, "wb") as output:
            return self.run("export-tar", "::mail", "-", output=output)

    def read(self, path):
        return self.run("extract", "--stdout", "::mail", str(path).lstrip("/"))


class TarZstd:
    name = "tar | zstd -3 -T2"

    def __init__(self, folder):
        self.file = folder / "mail.tar.zst"
        folder.mkdir(exist_ok=True)

    def ingest(self, mail):
        return process(["sh", "-c", 'tar -C "$0" -cf - . | zstd -q -3 -T2 -o "$1"', mail,
                        self.file])

    def verify(self):
        return process(["zstd", "-q", "-t", self.file])

    def files(self, target):
        target.mkdir()
        return process(["tar", "-C", target, "--zstd", "-xf", self.file])

    def stream(self, file):
        return process(["zstd", "-q", "-d", self.file, "-o", file])

    def size(self):
        return self.file.stat().st_size


class OpenArchiver:
    def __init__(self, folder, backend, config=None, size=None):
        self.name = f"OpenArchiver, {backend}"
        self.archive = Archive(folder / "site", {}, provider="mailfiles")
        config = config or {"filesystem": {"root": "./archive"},
                            "sqlite": {"file": "./archive/archive.db"}}[backend]
        self.archive.profile["archive"]["storage"] = {"backend": backend, "config": config}
        self.archive.profile["archive"]["search"] = {"enabled": False}  # as the others: `search` measures it
        self.size = size or (lambda: size_of(self.archive.folder / "archive"))

    def run(self, *arguments):
        return measured(self.archive, *map(str, arguments))[1:]

    def ingest(self, mail):
        self.archive.profile["sources"][0]["config"] = {"paths": [str(mail)]}
        self.archive.write_profile()
        return self.run("sync")

    def verify(self):
        return self.run("verify")

    def files(self, target):
        return self.run("export", "--format", "eml", "--output", target)

    def stream(self, file):
        return self.run("export", "--format", "mbox", "--output", file)

    def rebuild(self):
        (self.archive.folder / "catalog").rename(self.archive.folder / "catalog-before")
        return self.run("rebuild")

    def reads(self, manifest, count):
        """Each by a process of its own, as the others are."""
        entries = [json.loads(line) for line in manifest.read_text().splitlines()]
        for entry in random.Random(1).sample(entries, min(count, len(entries))):
            yield process(self.archive.command("show", entry["ref"], "--raw"))


LABELS = {"ingest": "import", "verify": "verify", "files": "export to files",
          "stream": "export to one stream"}


def figures_of(tool, mail, folder):
    """What every tool is asked for. The mail's pages are in memory; what others wrote is on the disk
    before, and what the tool wrote is at the end, whether it saw to that itself or not."""
    def to_disk(what, *arguments):
        os.sync()
        wall, cpu, peak = what(*arguments)
        started = time.monotonic()
        os.sync()
        return wall + time.monotonic() - started, cpu, peak

    return {"ingest": to_disk(tool.ingest, mail), "verify": tool.verify(),
            "files": to_disk(tool.files, folder / "files"),
            "stream": to_disk(tool.stream, folder / "stream"), "size": tool.size()}


def show(corpus, tool, found):
    case = f"{corpus}: {tool.name}"
    for what, label in LABELS.items():
        wall, cpu, peak = found[what]
        row(case, f"{label}: wall, CPU s, peak MB", f"{wall:.1f}, {cpu:.1f}, {peak:.0f}")
    row(case, "stored MB", f"{found['size'] / 1e6:.1f}")


def start_gateway(folder):
    if not shutil.which("radosgw"):
        print("s3 is left out: there is no radosgw", file=sys.stderr)
        return None
    subprocess.run([GATEWAY, "start", folder], check=True)
    os.environ["OPENARCHIVER_RGW"] = str(folder / "rgw.json")
    from raw_objects import BucketObjects
    return BucketObjects


def corpora(folder):
    """What is measured with: a name, a folder of mail, and which share of restic's size is allowed.
    With OPENARCHIVER_TEST_CORPUS, a folder of real mail that has a generator of mailboxes, those
    mailboxes (S) and that mail (R')."""
    corpus = os.environ.get("OPENARCHIVER_TEST_CORPUS")
    if os.environ.get("OPENARCHIVER_BENCH_MAIL") or not corpus:
        yield "mail", mail_folder(folder, 6_000), None
        return
    corpus = pathlib.Path(corpus)
    generator = corpus / "generate.py"
    if generator.exists():
        subprocess.run([sys.executable, generator, "--n", "12000", "--seed", "1", "--out",
                        folder / "S"], check=True, stdout=subprocess.DEVNULL)
        yield "S", folder / "S", 0.62
        shutil.rmtree(folder / "S")
    # As files that every side takes.
    real = folder / "R"
    sources = [p for name in ("spamassassin", "torture") for p in (corpus / name).rglob("*")]
    for number, path in enumerate(sorted(p for p in sources if p.is_file())):
        target = real / f"{number // 1000:03d}" / f"{number}.eml"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    yield "R'", real, 0.71


def store(folder):
    """Each side after the other, on the same mail."""
    for name, mail, share in corpora(folder):
        place = folder / "sides"
        place.mkdir()
        sides(name, pathlib.Path(mail), share, place)
        shutil.rmtree(place)


def sides(corpus, mail, share, folder):
    files = [p for p in mail.rglob("*") if p.is_file()]
    total = sum(len(p.read_bytes()) for p in files)  # into memory
    row(corpus, "messages, MB", f"{len(files)}, {total / 1e6:.0f}")
    if shutil.which("restic"):
        compare(corpus, mail, share, folder)
    for kind in (Restic, Borg, TarZstd):
        command = kind.name.split(" ")[0]
        if not shutil.which(command):
            print(f"{kind.name} is left out: there is no {command}", file=sys.stderr)
            continue
        place = folder / command
        place.mkdir()
        tool = kind(place)
        show(corpus, tool, figures_of(tool, mail, place))
        if hasattr(tool, "read"):
            chosen = random.Random(1).sample(files, min(10, len(files)))
            row(f"{corpus}: {tool.name}", "one message: p50, p99",
                quantiles([tool.read(p)[0] for p in chosen]))
        shutil.rmtree(place)
    gateway = start_gateway(folder / "rgw")
    try:
        for backend in ("filesystem", "sqlite", *(["s3"] if gateway else [])):
            place = folder / backend
            (place / "site").mkdir(parents=True)
            if backend == "s3":
                bucket = gateway(place / "site")
                tool = OpenArchiver(place, backend, bucket.config,
                                    lambda b=bucket: sum(len(b.get(key)) for key in b.keys()))
            else:
                tool = OpenArchiver(place, backend)
            show(corpus, tool, figures_of(tool, mail, place))
            case = f"{corpus}: {tool.name}"
            row(case, "one message: p50, p99", quantiles(
                [wall for wall, _, _ in tool.reads(place / "files" / "manifest.jsonl", READS)]))
            wall, cpu, peak = tool.rebuild()
            row(case, "rebuild: wall, CPU s, peak MB", f"{wall:.1f}, {cpu:.1f}, {peak:.0f}")
            shutil.rmtree(place)
    finally:
        if gateway:
            subprocess.run([GATEWAY, "stop", folder / "rgw"], check=True)


def compare(corpus, mail, share, folder):
    """The filesystem backend and restic in turn, OPENARCHIVER_BENCH_ROUNDS times. Speed is wall
    time, as a user waits for it: the median of the rounds' ratios is held against the target.
    What the processors did is told beside it, and has a target of its own for the import."""
    case = f"{corpus}: against restic"
    rounds = []
    for number in range(int(os.environ.get("OPENARCHIVER_BENCH_ROUNDS", "3"))):
        pair = []
        for name in ("restic", "filesystem"):
            # Nothing is removed before the end: ext4 searches long for a place beside files that
            # went a moment ago.
            place = folder / f"pair-{number}-{name}"
            (place / "site").mkdir(parents=True)
            tool = Restic(place) if name == "restic" else OpenArchiver(place, name)
            pair.append(figures_of(tool, mail, place))
            if name == "restic":
                pair[0]["start"] = tool.run("cat", "config")
        rounds.append(pair)

    def ratios(what, figure, without=0):
        return statistics.median(
            (restic[what][figure] - without * restic["start"][figure]) / ours[what][figure]
            for restic, ours in rounds)

    def times(what, limit):
        wall = ratios(what, 0)
        row(case, f"{LABELS[what]}: times as fast", f"{wall:.1f}", f">= {limit}", wall >= limit)
        row(case, f"{LABELS[what]}: net of its start; by CPU",
            f"{ratios(what, 0, 1):.1f}; {ratios(what, 1):.1f}")

    times("ingest", 1.7)
    cpu = 1 / ratios("ingest", 1)
    row(case, "import: share of the CPU", f"{cpu:.2f}", "<= 0.7", cpu <= 0.7)
    times("verify", 2.5)
    times("files", 1.5)
    times("stream", 5)
    restic, ours = rounds[0]
    size = ours["size"] / restic["size"]
    row(case, "share of the size", f"{size:.2f}", f"<= {share}" if share else "",
        size <= share if share else None)


def small_mail(folder, first, count):
    for number in range(first, first + count):
        path = folder / f"{number // 1000:04d}"
        if number % 1000 == 0:
            path.mkdir(parents=True, exist_ok=True)
        (path / f"{number}.eml").write_bytes(
            f"From: a{number % 97}@contoso.example\r\nSubject: message {number}\r\n"
            f"Message-ID: <{number}@contoso.example>\r\n\r\n{number * 7919} text\r\n".encode())


def growth(folder):
    """CPU for each message, as the archive grows tenfold twice. OPENARCHIVER_BENCH_GROWTH names other
    sizes."""
    sizes = [int(n) for n in os.environ.get("OPENARCHIVER_BENCH_GROWTH",
                                            "10000,100000,1000000").split(",")]
    cost = {}
    for count in sizes:
        small_mail(folder / "mail", 0, count)
        archive = Archive(folder / str(count), {"paths": [str(folder / "mail")]},
                          provider="mailfiles")
        _, wall, cpu, peak = measured(archive, "sync")
        _, _, verify, verify_peak = measured(archive, "verify")
        _, _, rebuild, rebuild_peak = measured(archive, "rebuild")
        cost[count] = [seconds / count for seconds in (cpu, verify, rebuild)]
        case = f"{count} messages"
        row(case, "import: messages/s, CPU ms each", f"{count / wall:.0f}, {cpu / count * 1e3:.3f}")
        row(case, "verify, rebuild: CPU ms each",
            f"{verify / count * 1e3:.3f}, {rebuild / count * 1e3:.3f}")
        row(case, "peak MB: import, verify, rebuild",
            f"{peak:.0f}, {verify_peak:.0f}, {rebuild_peak:.0f}")
        shutil.rmtree(archive.folder)
        shutil.rmtree(folder / "mail")
    # What a process costs before its first message weighs on the smallest.
    first, last = sizes[-2], sizes[-1]
    for what, number in (("import", 0), ("verify", 1), ("rebuild", 2)):
        ratio = cost[last][number] / cost[first][number]
        row(f"{last} against {first}", f"{what}: CPU for each message", f"{ratio:.2f}", "<= 1.2",
            ratio <= 1.2)


def trickle(folder):
    """A mailbox gets a message now and then while other mailboxes are imported: seconds from the
    last byte received until the catalog has it, which is after it is durable."""
    waits = []
    with Simulator("--users", 8, "--messages", 4000, "--median-bytes", 40_000) as bulk, \
            Simulator("--users", 1, "--messages", 1) as few:
        archive = Archive(folder / "trickle", graph_config(bulk))
        archive.profile["sources"][0]["schedule"] = {"every": "1m"}
        archive.profile["sources"].append(
            {"id": "few", "name": "Few", "provider": "microsoft365", "config": graph_config(few),
             "schedule": {"every": "1s"}})
        archive.write_profile()
        user = few.users()[0]["id"]
        with running(archive.start("serve", stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)) as service:
            catalog = archive.folder / "catalog" / "catalog.db"
            while not catalog.exists():
                time.sleep(0.1)
            database = sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=30)

            def items(source):
                return database.execute(
                    "SELECT count(*) FROM items JOIN accounts USING(account) JOIN sources"
                    " USING(source) WHERE sources.id=?", (source,)).fetchone()[0]

            while items("few") < 1:
                time.sleep(0.1)
            for number in range(20):
                few.control("deliver", {"user": user, "folder": "inbox", "count": 1})
                while items("few") < number + 2:
                    time.sleep(0.02)
                durable = time.time() * 1000
                received = max(e["time_ms"] + e["duration_ms"] for e in few.requests("value"))
                waits.append((durable - received) / 1000)
            imported = items("contoso")
            service.terminate()
            service.wait(30)
    row("a trickle beside an import", "imported meanwhile", imported)
    worst = max(waits)
    row("a trickle beside an import", "received to durable: p50, worst s",
        f"{statistics.median(waits):.2f}, {worst:.2f}", "< 2", worst < 2)
