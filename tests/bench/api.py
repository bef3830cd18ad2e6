"""The HTTP API under many clients, while an import runs."""

import re
import shutil
import subprocess
import time

from figures import mail_folder, row
from harness import Archive, Simulator, api_answers, free_port, graph_config, running, wait_until

CLIENTS = 64
SECONDS = 15
ASKED = {"item list": ["/items?limit=50"],
         "search": [f"/search?limit=20&q={query}" for query in ("word0042", "word01*", "word0007%20word0100", "-word0001%20word0002")]}


def lua(paths, secrets):
    """What wrk asks for: one path after another, each client by its own credential."""
    def listed(texts):
        return ", ".join(f'"{text}"' for text in texts)
    return (f"paths = {{{listed('/api/v1' + path for path in paths)}}}\nsecrets = {{{listed(secrets)}}}\nat = 0\n"
            "request = function()\n  at = at + 1\n  wrk.headers['Authorization'] = 'Bearer ' .. secrets[at % #secrets + 1]\n"
            "  return wrk.format(nil, paths[at % #paths + 1])\nend\n"
            "done = function(summary, latency)\n"
            "  io.write(string.format('RATE %f P50 %f P99 %f WRONG %d\\n', summary.requests / summary.duration * 1e6,\n"
            "    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.errors.status + summary.errors.read\n"
            "    + summary.errors.connect + summary.errors.timeout))\nend\n")


def asked(folder, port, secrets, paths):
    script = folder / "requests.lua"
    script.write_text(lua(paths, secrets))
    output = subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout", "30s", "-s", script,
                             f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True).stdout
    return [float(n) for n in re.search(r"RATE (\S+) P50 (\S+) P99 (\S+) WRONG (\d+)", output).groups()]


def api(folder):
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    mail = mail_folder(folder, 20_000)
    port = free_port()
    # Slower than it could be, so that it lasts.
    with Simulator("--users", 50, "--messages", 4000, "--latency-ms", 40, "--median-bytes", 20_000) as tenant:
        site = Archive(folder / "api", {"paths": [str(mail)]}, provider="mailfiles", service={"listen": f"127.0.0.1:{port}"})
        site.sync()
        secrets = [site.json("credential", "add", f"client-{number}", "--role", "auditor")["secret"] for number in range(CLIENTS)]

        def measure(when):
            for what, paths in ASKED.items():
                rate, median, worst, wrong = asked(folder, port, secrets, paths)
                row(f"{what}, {CLIENTS} clients, {when}", "requests/s; p50, p99 ms; errors",
                    f"{rate:.0f}; {median:.0f}, {worst:.0f}; {wrong:.0f}", "no error", wrong == 0)

        def served(while_what):
            with running(site.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
                wait_until(lambda: api_answers(port), what="the API")
                while_what()

        served(lambda: measure("idle"))
        site.profile["sources"].append({"id": "tenant", "name": "Tenant", "provider": "microsoft365",
                                        "config": graph_config(tenant)})
        site.write_profile()

        def while_importing():
            wait_until(lambda: len(tenant.requests("value")) > 100, what="the import")
            before, began = len(tenant.requests("value")), time.monotonic()
            measure("importing")
            row("the import beside them", "messages/s",
                f"{(len(tenant.requests('value')) - before) / (time.monotonic() - began):.0f}")

        served(while_importing)
