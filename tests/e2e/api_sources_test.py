"""A tenant that was connected through the API: read by the service and by the verbs, with a secret that only the archive has."""

import json
import signal
import subprocess
import unittest
import urllib.request

from harness import Archive, ArchiverTest, SECRET, Simulator, api_answers, free_port, graph_config, running, wait_until


class ApiSources(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.site = Archive(self.folder / "site", {}, service={"listen": f"127.0.0.1:{self.port}"}, sources=[])

    def serve(self):
        service = self.site.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: api_answers(self.port), what="the API")
        return running(service)

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.secret}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def status(self):
        return self.call("GET", "/sources/contoso")["status"]

    def active_with_a_token_since(self, tenant, before):
        return self.status() == "active" and len(tenant.requests("token")) > before

    def test_connected_killed_rebuilt_and_read_on(self):
        with Simulator("--users", 2, "--messages", 15) as tenant:
            config = graph_config(tenant)
            self.site.run("sync")  # makes the archive
            self.secret = self.site.json("credential", "add", "root", "--role", "administrator")["secret"]
            with self.serve() as service:
                source = {"id": "contoso", "name": "Contoso", "provider": "microsoft365", "config": config,
                          "schedule": {"every": "1s"}}
                wrong = {**source, "config": {**config, "client_secret": "wrong"}}
                self.assertFalse(self.call("POST", "/sources/check", wrong)["passed"])
                self.assertTrue(self.call("POST", "/sources/check", source)["passed"])
                self.call("POST", "/sources", source)
                wait_until(lambda: self.status() == "active", what="active")
                service.send_signal(signal.SIGKILL)
                service.wait()
            for file in (self.site.folder / "catalog").glob("catalog.db*"):
                file.unlink()
            self.site.run("rebuild")
            # The verbs know it, and its secret opens.
            self.assertTrue(self.site.json("source", "check", "contoso")["passed"])
            user = tenant.users()[0]
            tenant.control("deliver", {"user": user["id"], "folder": "inbox", "count": 3})
            self.assertEqual(self.site.sync()["items"]["new"], 3)
            self.assert_archived(tenant, self.site)
            before = len(tenant.requests("token"))
            with self.serve():
                wait_until(lambda: self.active_with_a_token_since(tenant, before), what="active again")
                before = len(tenant.requests("token"))
                self.call("PUT", "/sources/contoso",
                          {**source, "name": "Renamed", "config": {**config, "client_secret": {"keep": True}}})
                wait_until(lambda: self.active_with_a_token_since(tenant, before), what="a run with the secret that was kept")
            for file in self.site.folder.rglob("*"):
                if file.is_file():
                    self.assertNotIn(SECRET.encode(), file.read_bytes(), file)


if __name__ == "__main__":
    unittest.main()
