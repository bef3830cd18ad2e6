import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import unittest

from workspace import WorkspaceTest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ApiTest(WorkspaceTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.write_profile(self.mailfiles_source())
        self.set_service({"listen": f"127.0.0.1:{self.port}"})
        for number in range(3):
            self.add_mail(f"mail-{number}", text="sekrit")
        self.sync()

    def set_service(self, service):
        profile = json.loads(self.profile.read_text())
        profile["service"] = service
        self.profile.write_text(json.dumps(profile))

    def credential(self, role, *accounts):
        arguments = [word for account in accounts for word in ("--account", account)]
        return self.run_ok("credential", "add", f"{role}-{len(accounts)}", "--role", role,
                           *arguments, "--json").document["secret"]

    def call(self, method, path, secret=None, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        fields = dict(headers or {})
        if secret:
            fields["Authorization"] = f"Bearer {secret}"
        connection.request(method, path, body=json.dumps(body) if body is not None else None,
                           headers=fields)
        response = connection.getresponse()
        response.bytes = response.read()
        if "json" in response.headers["Content-Type"]:
            response.document = json.loads(response.bytes) if response.bytes else None
        return response

    def get(self, path, secret, status=200):
        response = self.call("GET", "/api/v1" + path, secret)
        self.assertEqual(response.status, status, response.bytes)
        self.check_shape("get", path, response)
        return response

    # The description is what the API really answers.

    def check_shape(self, method, path, response):
        description = self.description
        plain = path.split("?")[0]
        for pattern, operations in description["paths"].items():
            if (method in operations
                    and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", pattern), plain)):
                answers = operations[method]["responses"]
                answer = answers.get(str(response.status), answers["default"])
                content = answer["content"].get(response.headers["Content-Type"].split(";")[0])
                self.assertIsNotNone(content, (path, response.headers["Content-Type"]))
                if hasattr(response, "document"):
                    self.check(content["schema"], response.document, path)
                return
        self.fail(f"{path} is not described")

    def check(self, schema, value, where):
        """As much of JSON Schema as the description uses."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return self.check(self.description["components"]["schemas"][name], value, where)
        if "enum" in schema:
            return self.assertIn(value, schema["enum"], where)
        types = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
                 "null": type(None)}
        allowed = schema.get("type", [])
        allowed = [allowed] if isinstance(allowed, str) else allowed
        self.assertTrue(any(isinstance(value, types[t]) for t in allowed), (where, schema, value))
        for name in schema.get("required", []):
            self.assertIn(name, value, where)
        if isinstance(value, dict):
            for name, one in schema.get("properties", {}).items():
                if name in value:
                    self.check(one, value[name], f"{where}/{name}")
        if isinstance(value, list):
            for one in value:
                self.check(schema["items"], one, where)

    def serve(self):
        service = super().serve()
        self.description = self.call("GET", "/api/v1/openapi.json").document
        return service


class Api(ApiTest):
    def test_a_credential_that_root_adds_is_known_to_a_service_of_another_user(self):
        self.services.append(self.as_nobody("serve", start=True))
        self.wait_for(lambda: self.run_program("status", "--json").document.get("service"),
                      "the service starts")
        secret = self.credential("administrator")
        self.assertEqual(self.call("GET", "/api/v1/status", secret).status, 200)

    def test_every_documented_reading_address_answers_as_described(self):
        admin, auditor = self.credential("administrator"), self.credential("auditor")
        self.serve()
        self.assertEqual(self.call("GET", "/healthz").document, {"status": "ok"})
        self.assertEqual(self.call("GET", "/readyz").status, 200)
        for path in ("/status", "/sources", "/sources/local", "/accounts", "/folders",
                     "/failures", "/holds", "/retention", "/credentials", "/providers", "/audit",
                     "/me", "/sources/local/definition"):
            self.get(path, admin)
        items = self.get("/items", auditor).document
        self.assertEqual({i["subject"] for i in items["items"]}, {"mail-0", "mail-1", "mail-2"})
        self.assertIsNone(items["next"])
        ref = next(i["ref"] for i in items["items"] if i["subject"] == "mail-0")
        shown = self.get(f"/items/{ref}", auditor).document
        self.assertEqual(shown, self.run_ok("show", ref, "--json").document)
        raw = self.call("GET", f"/api/v1/items/{ref}/raw", auditor)
        self.assertEqual(raw.bytes, (self.mail / "mail-0.eml").read_bytes())
        self.assertEqual(raw.headers["Content-Type"], "message/rfc822")
        for path in ("/sources/none", "/items/0123456789abcdef01234567"):
            self.get(path, admin if "sources" in path else auditor, 404)

    def test_pages_and_filters(self):
        auditor = self.credential("auditor")
        self.serve()
        first = self.get("/items?limit=2", auditor).document
        self.assertEqual(len(first["items"]), 2)
        second = self.get(f"/items?limit=2&after={first['next']}", auditor).document
        self.assertEqual({i["subject"] for i in first["items"] + second["items"]},
                         {"mail-0", "mail-1", "mail-2"})
        self.assertIsNone(second["next"])
        self.assertEqual(self.get("/items?sender=nobody", auditor).document["items"], [])
        for query in ("limit=0", "limit=x", "after=zzz", "since=yesterday"):
            self.get("/items?" + query, auditor, 422)

    def test_a_document_that_is_known_is_not_sent_again(self):
        auditor = self.credential("auditor")
        self.serve()
        tag = self.get("/items", auditor).headers["ETag"]
        again = self.call("GET", "/api/v1/items", auditor, headers={"If-None-Match": tag})
        self.assertEqual((again.status, again.bytes), (304, b""))

    def test_search(self):
        auditor = self.credential("auditor")
        self.serve()
        self.wait_for(lambda: self.get("/search?q=sekrit", auditor).document["summary"]["coverage"]
                      ["not_yet_indexed"] == 0, "the index is full")
        found = self.get("/search?q=sekrit+subject:mail-1&counts=true", auditor).document
        self.assertEqual([h["subject"] for h in found["hits"]], ["mail-1"])
        self.assertEqual(found["summary"]["counts"]["total"], 1)
        self.assertIn("sekrit", found["hits"][0]["snippet"])
        self.assertEqual(len(self.get("/search?q=sekrit&limit=2", auditor).document["hits"]), 2)
        self.get("/search?q=%22unclosed", auditor, 422)
        self.get("/search?q=x&order=worst", auditor, 422)

    def test_roles(self):
        secrets = {role: self.credential(role) for role in ("administrator", "operator", "auditor")}
        self.serve()
        self.assertEqual(self.call("GET", "/api/v1/status").status, 401)
        self.assertEqual(self.call("GET", "/api/v1/status").headers["WWW-Authenticate"], "Bearer")
        for role, path, status in (("administrator", "/items", 403), ("operator", "/items", 403),
                                   ("operator", "/credentials", 403), ("auditor", "/items", 200), ("operator", "/search?q=x", 403),
                                   ("auditor", "/credentials", 403), ("operator", "/status", 200)):
            with self.subTest(role=role, path=path):
                self.get(path, secrets[role], status)
        self.assertEqual(self.call("POST", "/api/v1/sources/local/sync", secrets["auditor"],
                                   {}).status, 403)

    def test_an_account_holder_reads_the_named_accounts_alone(self):
        other = self.folder / "mail" / "bob"
        source = self.mailfiles_source()
        source["config"]["paths"] = [str(self.mail), str(other)]
        self.write_profile(source)
        self.set_service({"listen": f"127.0.0.1:{self.port}"})
        self.add_mail("of-bob", folder=other)
        self.sync()
        accounts = self.run_ok("accounts", "--json").document["accounts"]
        bob = next(a for a in accounts if a["items"] == 1)
        holder = self.credential("account_holder", bob["address"].upper())
        auditor = self.credential("auditor")
        self.serve()
        self.assertEqual([i["subject"] for i in self.get("/items", holder).document["items"]],
                         ["of-bob"])
        mine = self.get("/items", holder).document["items"][0]["ref"]
        other = next(i["ref"] for i in self.get("/items", auditor).document["items"]
                     if i["subject"] != "of-bob")
        self.get(f"/items/{mine}", holder)
        for path in (f"/items/{other}", f"/items/{other}/raw"):
            self.get(path, holder, 404)
        listed = self.get(f"/items?account={accounts[0]['id']}&account={accounts[1]['id']}", holder)
        self.assertEqual(len(listed.document["items"]), 1)
        self.get("/status", holder, 403)
        everything = self.get("/search?q=subject:of-bob", holder).document
        self.assertEqual([h["subject"] for h in everything["hits"]], ["of-bob"])
        self.assertEqual(self.get("/search?q=sekrit", holder).document["hits"], [])
        foreign = next(a["id"] for a in accounts if a is not bob)
        self.assertEqual(self.get(f"/search?q=sekrit&account={foreign}", holder).document["hits"],
                         [])

    def test_the_setup_credential_makes_the_first_one_and_nothing_else(self):
        service = self.serve()
        secret = re.search(r"oa_[0-9a-f]{64}", self.log(service)).group()
        for path in ("/status", "/jobs", "/providers", "/audit"):
            self.get(path, secret, 403)
        self.assertTrue(self.get("/me", secret).document["setup"])
        made = self.call("POST", "/api/v1/credentials", secret,
                         {"name": "root", "role": "administrator"})
        self.assertEqual(made.status, 201, made.bytes)
        self.check_shape("post", "/credentials", made)
        self.get("/status", made.document["secret"])
        self.assertEqual(self.call("POST", "/api/v1/credentials", secret,
                                   {"name": "again", "role": "administrator"}).status, 401)
        self.assertNotIn(made.document["secret"],
                         (self.folder / "catalog" / "access.json").read_text())
        self.assertNotIn(made.document["secret"], self.log(service))
        self.run_ok("credential", "remove", "root")
        self.get("/status", made.document["secret"], 401)

    def test_who_guesses_has_to_wait(self):
        right = self.credential("operator")
        self.serve()
        for _ in range(10):
            self.assertEqual(self.call("GET", "/api/v1/status", "oa_wrong").status, 401)
        refused = self.call("GET", "/api/v1/status", right)
        self.assertEqual(refused.status, 429)
        self.assertGreater(int(refused.headers["Retry-After"]), 0)

    def test_a_sync_is_asked_for(self):
        operator = self.credential("operator")
        self.serve()
        self.add_mail("late")
        asked = self.call("POST", "/api/v1/sources/local/sync", operator, {"reconcile": False})
        self.assertEqual(asked.status, 202)
        self.check_shape("post", "/sources/local/sync", asked)
        self.wait_for(lambda: self.get("/sources/local", operator).document["items"] == 4,
                      "the item comes")
        self.assertEqual(self.call("POST", "/api/v1/sources/none/sync", operator, {}).status, 404)

    def test_holds(self):
        auditor = self.credential("auditor")
        self.serve()
        placed = self.call("POST", "/api/v1/holds", auditor,
                           {"matter": "Doe v. Roe", "reason": "court order"})
        self.assertEqual(placed.status, 201, placed.bytes)
        hold = self.get("/holds", auditor).document["holds"][0]
        self.assertEqual((hold["id"], hold["placed_by"], hold["items"]),
                         (placed.document["id"], "api:auditor-0", 3))
        self.assertEqual(self.call("POST", f"/api/v1/holds/{hold['id']}/release", auditor,
                                   {"reason": "settled"}).status, 200)
        self.assertEqual(self.get("/holds", auditor).document["holds"], [])
        self.assertEqual(self.call("POST", "/api/v1/holds", auditor, {"matter": "x"}).status, 422)

    def test_metrics(self):
        operator = self.credential("operator")
        self.serve()
        self.assertEqual(self.call("GET", "/metrics").status, 401)
        text = self.call("GET", "/metrics", operator).bytes.decode()
        self.assertIn('openarchiver_source_items{source="local"} 3\n', text)
        self.assertIn('openarchiver_source_status{source="local",status="active"} 1\n', text)
        self.assertIn("openarchiver_archive_items 3\n", text)
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[^}]*\})? -?[0-9.e+]+)$')

    def test_events_come_as_they_happen(self):
        operator = self.credential("operator")
        self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", "/api/v1/events",
                           headers={"Authorization": f"Bearer {operator}"})
        response = connection.getresponse()
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        lines = [response.readline() for _ in range(6)]
        self.assertEqual(lines[0], b"event: sources\n")
        self.assertEqual(json.loads(lines[1].removeprefix(b"data: "))["sources"][0]["id"], "local")
        self.assertEqual(lines[3], b"event: sources\n")

    def test_who_asks_too_often_has_to_wait_and_others_have_not(self):
        greedy, other = self.credential("operator"), self.credential("auditor")
        service = self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        for _ in range(20_000):
            connection.request("GET", "/api/v1/me", headers={"Authorization": f"Bearer {greedy}"})
            refused = connection.getresponse()
            refused.read()
            if refused.status != 200:
                break
        self.assertEqual(refused.status, 429)
        self.assertEqual(refused.headers["Content-Type"], "application/problem+json")
        self.assertEqual(refused.headers["Retry-After"], "1")
        self.get("/status", other)
        self.wait_for(lambda: self.call("GET", "/api/v1/me", greedy).status == 200, "its turn", service)

    def test_bad_requests_harm_nobody(self):
        admin = self.credential("administrator")
        service = self.serve()
        self.assertEqual(self.call("GET", "/console.map", admin).status, 404)
        self.assertEqual(self.call("GET", "/api/v1/nothing", admin).status, 404)
        self.assertEqual(self.call("PUT", "/api/v1/sources", admin).status, 405)
        too_large = self.call("POST", "/api/v1/credentials", admin, {"name": "x" * 2_000_000})
        self.assertEqual(too_large.status, 413)
        self.assertEqual(self.call("GET", "/api/v1/items/..%2f..%2fetc%2fpasswd/raw",
                                   admin).status, 404)
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            raw.sendall(b"nonsense\r\n\r\n")
            raw.settimeout(40)
            self.assertIn(b"400", raw.recv(1000) or b"400")
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            raw.sendall(b"POST /api/v1/credentials HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
        self.get("/status", admin)
        code, seconds = self.stop(service)
        self.assertEqual(code, 0)
        self.assertLess(seconds, 15)

    def test_the_console_is_served_and_loads_nothing_but_itself(self):
        self.serve()
        page = self.call("GET", "/")
        self.assertEqual((page.status, page.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        policy = page.headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "img-src data:", "frame-ancestors 'none'"):
            self.assertIn(part, policy)
        self.assertNotIn("unsafe-eval", policy)
        named = re.findall(rb'(?:src|href)="([^"]+)"', page.bytes)
        self.assertIn(b"console.js", named)
        for name in named:
            self.assertNotIn(b"//", name)
            if not name.startswith(b"data:"):
                self.assertEqual(self.call("GET", "/" + name.decode()).status, 200)
        self.assertNotIn(b"<script>", page.bytes)
        tag = page.headers["ETag"]
        self.assertEqual(self.call("GET", "/", headers={"If-None-Match": tag}).status, 304)

    def test_an_address_that_is_taken_is_said(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            result = self.run_program("serve")
        self.assertEqual(result.code, 4, result.err)
        self.assertIn(str(self.port), result.err)

    def serve_troubled(self):
        """A source that takes notifications, and is not due for an hour."""
        self.behave("items 3")
        self.write_profile(self.mailfiles_source(), self.troubled_source())
        self.set_service({"listen": f"127.0.0.1:{self.port}", "public_url": "https://example.org/"})
        operator = self.credential("operator")
        service = self.serve()
        self.wait_for(lambda: self.get("/sources/troubled", operator).document["items"] == 3,
                      "the first run", service)
        return operator, service

    def notify(self, path="", method="POST", body=b"account-1", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, f"/api/v1/sources/{path or 'troubled/webhook'}", body=body,
                           headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.bytes = response.read()
        connection.close()  # a connection that is kept takes a thread of the server
        return response

    def hang(self):
        while self.notify("troubled/webhook?hang").status == 429:
            pass  # another request was there first

    def test_a_notification_of_the_service_makes_the_next_run_sooner(self):
        operator, service = self.serve_troubled()
        self.behave("items 4")
        refused = self.notify(X_Secret="guessed")
        self.assertEqual(refused.status, 403)
        self.assertEqual(refused.headers["Content-Type"], "application/problem+json")
        self.assertNotIn(b"secret", refused.bytes)
        self.assertEqual(self.get("/sources/troubled", operator).document["items"], 3)
        self.assertEqual(self.notify(X_Secret="open sesame").status, 202)
        self.wait_for(lambda: self.get("/sources/troubled", operator).document["items"] == 4,
                      "what is new is archived", service)
        # The service asks whether somebody is there.
        challenge = self.notify("troubled/webhook?challenge=a%20b", method="GET", body=None)
        self.assertEqual((challenge.status, challenge.bytes), (200, b"challenge=a%20b"))
        self.assertEqual(challenge.headers["Content-Type"], "text/plain")
        self.assertNotIn("open sesame", self.log(service))

    def test_notifications_that_make_no_sense_harm_nobody(self):
        operator, service = self.serve_troubled()
        self.assertEqual(self.notify("none/webhook").status, 404)
        self.assertEqual(self.notify("local/webhook").status, 404)  # it takes none
        self.assertEqual(self.notify(method="DELETE").headers["Allow"], "GET, POST")
        self.assertEqual(self.notify(body=b"x" * (1 << 20), X_Secret="open sesame").status, 202)
        self.assertEqual(self.notify(body=b"x" * (1 << 20) + b"x", X_Secret="open sesame").status, 413)
        split = self.notify("troubled/webhook?split")
        self.assertEqual(split.status, 500)
        self.assertIsNone(split.headers["X-Injected"])
        # Others are answered while some hang, and those are given up.
        hanging = [threading.Thread(target=self.hang) for _ in range(4)]
        for thread in hanging:
            thread.start()
        refused = self.wait_for(
            lambda: (answer := self.notify(X_Secret="open sesame")).status == 429 and answer, "it is full")
        self.assertGreater(int(refused.headers["Retry-After"]), 0)
        self.get("/status", operator)
        for thread in hanging:
            thread.join()
        self.assertEqual(self.notify(X_Secret="open sesame").status, 202)
        # A busy service is not mistaken for strangers.
        statuses = [self.notify(X_Secret="open sesame").status for _ in range(150)]
        self.assertEqual(set(statuses), {202})
        statuses = [self.notify(X_Secret="guessed").status for _ in range(250)]
        self.assertEqual(set(statuses), {403, 429})
        self.get("/status", operator)
        self.assertEqual(self.stop(service)[0], 0)

    def test_beyond_this_machine_only_with_tls(self):
        self.set_service({"listen": f"0.0.0.0:{self.port}"})
        result = self.run_program("profile", "check")
        self.assertEqual(result.code, 2)
        self.assertIn("TLS", result.out + result.err)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                        str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem"),
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        self.set_service({"listen": f"0.0.0.0:{self.port}",
                          "tls": {"certificate": "cert.pem", "key": "key.pem"}})
        operator = self.credential("operator")
        WorkspaceTest.serve(self)
        context = ssl.create_default_context(cafile=self.folder / "cert.pem")
        connection = http.client.HTTPSConnection("localhost", self.port, context=context)
        self.addCleanup(connection.close)
        connection.request("GET", "/api/v1/status",
                           headers={"Authorization": f"Bearer {operator}"})
        self.assertEqual(connection.getresponse().status, 200)


if __name__ == "__main__":
    unittest.main()
