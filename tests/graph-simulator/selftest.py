#!/usr/bin/python3
"""Contract checks for graph-simulator, with nothing but the standard library.

Usage: /usr/bin/python3 selftest.py PATH-TO-BINARY [NAME-PART ...]
Prints one line per check and exits with 1 when any of them failed.
"""
import base64
import concurrent.futures
import gzip
import hashlib
import http.client
import http.server
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

TENANT = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f"
CLIENT = "c0ffee00-1111-4222-8333-444455556666"
SECRET = "simulated-secret-value"
ANNA = "2b6f3c8a-0d1e-4f2a-9b3c-4d5e6f708192"
IMMUTABLE = 'IdType="ImmutableId"'
failures = []
passed = 0


def check(name, condition, detail=""):
    global passed
    if condition:
        passed += 1
        print("ok   " + name)
    else:
        failures.append(name)
        print("FAIL " + name + ("  (" + str(detail)[:400] + ")" if detail != "" else ""))


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {k.lower(): v for k, v in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        try:
            return self.json["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self):
        return "%s %s" % (self.status, self.body[:300])


class Simulator:
    def __init__(self, binary, *arguments):
        self.process = subprocess.Popen(
            [binary, "--die-with-parent", *arguments], stdout=subprocess.PIPE, text=True
        )
        self.ready = json.loads(self.process.stdout.readline())
        self.origin = self.ready["http"]
        self.host, port = self.origin[7:].split(":")
        self.port = int(port)
        self.bearer = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def request(self, method, target, headers=None, body=None, timeout=30):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers or {})
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()

    def control(self, name, body=None, method="POST"):
        answer = self.request(
            method,
            "/control/" + name,
            {"Content-Type": "application/json"},
            None if body is None else json.dumps(body),
        )
        if answer.status != 200:
            raise RuntimeError("control %s: %s" % (name, answer))
        return answer.json

    def token_request(self, tenant=TENANT, headers=None, **form):
        fields = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "https://graph.microsoft.com/.default",
        }
        fields.update(form)
        fields = {k: v for k, v in fields.items() if v is not None}
        all_headers = {"Content-Type": "application/x-www-form-urlencoded"}
        all_headers.update(headers or {})
        return self.request(
            "POST", "/%s/oauth2/v2.0/token" % tenant, all_headers, urllib.parse.urlencode(fields)
        )

    def login(self):
        self.bearer = self.token_request().json["access_token"]

    def get(self, target, headers=None, method="GET", body=None, prefer=IMMUTABLE, timeout=30):
        """`target` is a path below /v1.0 or a link."""
        if self.bearer is None:
            self.login()
        if target.startswith("http"):
            assert target.startswith(self.origin + "/v1.0/"), target
            target = target[len(self.origin) :]
        else:
            target = "/v1.0" + target
        all_headers = {"Authorization": "Bearer " + self.bearer}
        if prefer:
            all_headers["Prefer"] = prefer
        all_headers.update(headers or {})
        return self.request(method, target, all_headers, body, timeout)

    def post(self, target, body, headers=None):
        all_headers = {"Content-Type": "application/json"}
        all_headers.update(headers or {})
        return self.get(target, all_headers, "POST", json.dumps(body))

    def walk(self, target, prefer=IMMUTABLE, most=10000):
        """Follows nextLinks: (items, deltaLink, pages)."""
        items, pages = [], 0
        while pages < most:
            answer = self.get(target, prefer=prefer)
            if answer.status != 200:
                raise RuntimeError("%s: %s" % (target, answer))
            page = answer.json
            items += page["value"]
            pages += 1
            if "@odata.nextLink" not in page:
                return items, page.get("@odata.deltaLink"), pages
            target = page["@odata.nextLink"]
        raise RuntimeError("endless paging")

    def truth(self, user=ANNA, sha256=False):
        query = "?user=" + urllib.parse.quote(user) + ("&sha256=1" if sha256 else "")
        return self.control("tenant" + query, method="GET")["users"][0]

    def folder(self, name, user=ANNA):
        for folder in self.truth(user)["folders"]:
            if folder["well_known"] == name or folder["name"] == name:
                return folder["id"]
        raise KeyError(name)


def quote(text):
    return urllib.parse.quote(text, safe="")


def inbox_delta(
    options="$select=id,subject,receivedDateTime,isDraft,parentFolderId", user=ANNA, folder="inbox"
):
    return "/users/%s/mailFolders/%s/messages/delta?%s" % (user, quote(folder), options)


# ---------------------------------------------------------------------------------- token


def test_token(binary):
    with Simulator(binary) as sim:
        good = sim.token_request(headers={"client-request-id": "abc"})
        check(
            "token: secret accepted",
            good.status == 200 and good.json["token_type"] == "Bearer",
            good,
        )
        check(
            "token: shape",
            set(good.json) == {"token_type", "expires_in", "ext_expires_in", "access_token"},
        )
        check("token: echoes client-request-id", good.headers.get("client-request-id") == "abc")
        payload = good.json["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        check("token: roles claim", "Mail.Read" in claims["roles"], claims)
        check("token: identity claims", claims["tid"] == TENANT and claims["appid"] == CLIENT)
        sim.control("settings", {"roles": []})
        payload = sim.token_request().json["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        check("token: roles absent without consent", "roles" not in claims)

        def refused(name, code, status, error, answer):
            try:
                body = answer.json
                good_shape = (
                    answer.status == status
                    and body["error"] == error
                    and body["error_codes"] == [code]
                    and body["error_description"].startswith("AADSTS%d: " % code)
                    and all(
                        k in body for k in ("timestamp", "trace_id", "correlation_id", "error_uri")
                    )
                )
            except (ValueError, KeyError):
                good_shape = False
            check("token: " + name + " is %d" % code, good_shape, answer)

        refused(
            "wrong secret", 7000215, 401, "invalid_client", sim.token_request(client_secret="x")
        )
        refused(
            "unknown client",
            700016,
            400,
            "unauthorized_client",
            sim.token_request(client_id="c0ffee00-0000-4222-8333-444455556666"),
        )
        refused(
            "unknown tenant",
            90002,
            400,
            "invalid_tenant",
            sim.token_request(tenant="00000000-8a5b-4c6d-9e7f-0a1b2c3d4e5f"),
        )
        refused(
            "malformed tenant", 900023, 400, "invalid_request", sim.token_request(tenant="nonsense")
        )
        refused("common", 9001023, 400, "invalid_request", sim.token_request(tenant="common"))
        refused(
            "scope without .default",
            1002012,
            400,
            "invalid_scope",
            sim.token_request(scope="https://graph.microsoft.com/Mail.Read"),
        )
        refused(
            "doubly encoded scope",
            1002012,
            400,
            "invalid_scope",
            sim.token_request(scope="https%3A%2F%2Fgraph.microsoft.com%2F.default"),
        )
        refused(
            "two resources",
            700022,
            400,
            "invalid_request",
            sim.token_request(scope="https://graph.microsoft.com/.default https://x/.default"),
        )
        refused(
            "foreign resource",
            500011,
            400,
            "invalid_resource",
            sim.token_request(scope="https://example.org/.default"),
        )
        refused(
            "no credential", 7000216, 401, "invalid_client", sim.token_request(client_secret=None)
        )
        refused("no grant type", 900144, 400, "invalid_request", sim.token_request(grant_type=None))
        refused(
            "other grant type",
            70003,
            400,
            "unsupported_grant_type",
            sim.token_request(grant_type="password"),
        )
        refused(
            "assertion without certificate",
            700027,
            401,
            "invalid_client",
            sim.token_request(
                client_secret=None,
                client_assertion="a.b.c",
                client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
        )
        refused(
            "GET",
            900561,
            405,
            "invalid_request",
            sim.request("GET", "/%s/oauth2/v2.0/token" % TENANT),
        )
        json_body = sim.request(
            "POST", "/%s/oauth2/v2.0/token" % TENANT, {"Content-Type": "application/json"}, "{}"
        )
        refused("JSON body", 900144, 400, "invalid_request", json_body)
        basic = base64.b64encode(("%s:%s" % (CLIENT, quote(SECRET))).encode()).decode()
        answer = sim.token_request(
            client_id=None, client_secret=None, headers={"Authorization": "Basic " + basic}
        )
        check("token: HTTP basic accepted", answer.status == 200, answer)
        check(
            "token: own origin as scope",
            sim.token_request(scope=sim.origin + "/.default").status == 200,
        )
        check("token: domain as tenant", sim.token_request(tenant="contoso.example").status == 200)
        sim.control("settings", {"token_error": 53003})
        blocked = sim.token_request()
        refused("conditional access", 53003, 400, "invalid_grant", blocked)
        check("token: conditional access claims", "capolids" in blocked.json.get("claims", ""))
        sim.control("settings", {"token_error": 7000222})
        refused("expired secret", 7000222, 401, "invalid_client", sim.token_request())
        sim.control("settings", {"token_error": 0})
        sim.control("rotate-secret", {"secret": "new"})
        refused("old secret after rotation", 7000215, 401, "invalid_client", sim.token_request())
        check("token: new secret", sim.token_request(client_secret="new").status == 200)
        found = sim.request("GET", "/%s/v2.0/.well-known/openid-configuration" % TENANT)
        check(
            "token: discovery",
            found.json["token_endpoint"] == sim.origin + "/%s/oauth2/v2.0/token" % TENANT,
            found,
        )


def make_assertion(openssl_key, algorithm, header, claims):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(claims).encode())
    options = (
        []
        if algorithm == "RS256"
        else ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    )
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", openssl_key, *options],
        input=text,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    return (text + b"." + encode(signature)).decode()


def test_certificate(binary):
    with tempfile.TemporaryDirectory() as folder:
        key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                key,
                "-out",
                cert,
                "-days",
                "2",
                "-subj",
                "/CN=client",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        der = ssl.PEM_cert_to_DER_cert(open(cert).read())

        def print_of(digest):
            return base64.urlsafe_b64encode(digest(der).digest()).rstrip(b"=").decode()

        with Simulator(binary, "--client-cert", cert) as sim:
            audience = sim.origin + "/%s/oauth2/v2.0/token" % TENANT
            serial = [0]

            def ask(algorithm="PS256", header=None, **changes):
                now = int(time.time())
                serial[0] += 1
                claims = {
                    "aud": audience,
                    "iss": CLIENT,
                    "sub": CLIENT,
                    "jti": "id-%d" % serial[0],
                    "iat": now,
                    "nbf": now - 60,
                    "exp": now + 600,
                }
                claims.update(changes)
                head = header or {
                    "alg": algorithm,
                    "typ": "JWT",
                    "x5t#S256": print_of(hashlib.sha256),
                }
                return sim.token_request(
                    client_secret=None,
                    client_assertion=make_assertion(key, algorithm, head, claims),
                    client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )

            good = ask()
            check("certificate: PS256 accepted", good.status == 200, good)
            payload = good.json["access_token"].split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            check("certificate: appidacr", claims["appidacr"] == "2")
            old = ask("RS256", {"alg": "RS256", "typ": "JWT", "x5t": print_of(hashlib.sha1)})
            check("certificate: RS256 with x5t accepted", old.status == 200, old)

            def refused(name, code, answer):
                check(
                    "certificate: %s refused" % name,
                    answer.status in (400, 401) and answer.json["error_codes"] == [code],
                    answer,
                )

            refused(
                "wrong thumbprint",
                700027,
                ask(header={"alg": "PS256", "typ": "JWT", "x5t#S256": "A" * 43}),
            )
            refused(
                "wrong padding",
                700027,
                ask("RS256", {"alg": "PS256", "typ": "JWT", "x5t#S256": print_of(hashlib.sha256)}),
            )
            refused("wrong audience", 50013, ask(aud=audience.replace("v2.0", "v1.0")))
            refused("wrong subject", 50013, ask(sub="other"))
            refused("expired assertion", 700024, ask(exp=int(time.time()) - 10))
            refused("assertion of the future", 700024, ask(nbf=int(time.time()) + 300))
            ask(jti="once")
            refused("repeated jti", 50013, ask(jti="once"))

        issuer = "https://issuer.example"
        with Simulator(binary, "--federated-issuer", issuer, "--federated-subject", "machine:1",
                       "--federated-cert", cert) as sim:

            def present(**changes):
                now = int(time.time())
                claims = {"iss": issuer, "sub": "machine:1", "aud": "api://AzureADTokenExchange",
                          "iat": now, "nbf": now - 5, "exp": now + 600}
                claims.update(changes)
                return sim.token_request(
                    client_secret=None,
                    client_assertion=make_assertion(key, "RS256", {"alg": "RS256"}, claims),
                    client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )

            check("federated: accepted", present().status == 200)
            check("federated: accepted again", present().status == 200)
            for name, code, changes in [
                ("issuer", 700211, {"iss": "https://other.example"}),
                ("audience", 700212, {"aud": "api://other"}),
                ("subject", 700213, {"sub": "machine:2"}),
                ("validity", 700024, {"exp": int(time.time()) - 60}),
            ]:
                answer = present(**changes)
                check("federated: wrong %s refused" % name,
                      answer.json["error_codes"] == [code], answer)
            sim.control("credentials", {"federated_subject": "machine:2"})
            check("federated: another subject", present(sub="machine:2").status == 200)


# ------------------------------------------------------------------------- authentication


def test_authentication(binary):
    with Simulator(binary) as sim:
        sim.login()
        empty = sim.request("GET", "/v1.0/users")
        check(
            "auth: none is 401", empty.status == 401 and empty.code == "InvalidAuthenticationToken"
        )
        check(
            "auth: WWW-Authenticate",
            "authorization_uri" in empty.headers.get("www-authenticate", ""),
        )
        wrong = sim.get("/users", {"Authorization": "Bearer nonsense"})
        check("auth: unknown token is 401", wrong.status == 401)
        check(
            "auth: other scheme is 401",
            sim.get("/users", {"Authorization": "Basic eDp5"}).status == 401,
        )
        answer = sim.get("/users", {"client-request-id": "11111111-2222-4333-8444-555555555555"})
        check(
            "auth: request-id and echo",
            len(answer.headers["request-id"]) == 36
            and answer.headers["client-request-id"].startswith("11111111")
            and "date" in answer.headers,
        )
        check(
            "auth: content type",
            answer.headers["content-type"].startswith("application/json;odata.metadata=minimal"),
            answer.headers,
        )
        inner = empty.json["error"]["innerError"]
        check(
            "auth: innerError",
            inner["request-id"] == empty.headers["request-id"] and not inner["date"].endswith("Z"),
        )
        sim.control("expire-tokens")
        old = sim.get("/users")
        check(
            "auth: expired is 401", old.status == 401 and "expired" in old.json["error"]["message"]
        )
        sim.control("settings", {"token_lifetime": 1})
        sim.login()
        check("auth: short token works", sim.get("/users").status == 200)
        time.sleep(2.1)
        check("auth: short token expires", sim.get("/users").status == 401)
        sim.control("settings", {"token_lifetime": 3599, "roles": ["User.Read.All"]})
        sim.login()
        denied = sim.get("/users/%s/mailFolders" % ANNA)
        check(
            "auth: no Mail.Read is 403", denied.status == 403 and denied.code == "ErrorAccessDenied"
        )
        denied = sim.get("/users/%s/mailboxSettings/userPurpose" % ANNA)
        check("auth: no MailboxSettings.Read is 403", denied.code == "ErrorAccessDenied")
        sim.control("settings", {"exchange_grants": True})
        granted = sim.get("/users/%s/mailFolders" % ANNA)
        check("auth: Exchange may grant what the token does not carry", granted.status == 200)
        listed = sim.get("/users/%s/messages?$select=id&$top=1" % ANNA).json["value"]
        value = sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(listed[0]["id"])))
        check("auth: contents as well", value.status == 200)
        sim.control("settings", {"exchange_grants": False})
        sim.control("settings", {"roles": ["Mail.Read"]})
        check("auth: an old token keeps its roles", sim.get("/users").status == 200)
        sim.login()
        denied = sim.get("/users")
        check(
            "auth: no User.Read.All is 403",
            denied.status == 403 and denied.code == "Authorization_RequestDenied",
            denied,
        )
        check(
            "auth: Mail.Read suffices for mail",
            sim.get("/users/%s/mailFolders" % ANNA).status == 200,
        )


# -------------------------------------------------------------------------------- users


def test_users(binary):
    with Simulator(binary, "--users", "5", "--extras", "--messages", "5") as sim:
        everyone, _, _ = sim.walk(
            "/users?$select=id,userPrincipalName,userType,mail,accountEnabled"
        )
        check("users: all are listed", len(everyone) == 10, len(everyone))
        paged, _, pages = sim.walk("/users?$select=id&$top=3")
        check(
            "users: pages", [u["id"] for u in paged] == [u["id"] for u in everyone] and pages == 4
        )
        plain = sim.get("/users").json["value"][0]
        check("users: default properties", "displayName" in plain and "proxyAddresses" not in plain)

        def refused(name, target, code, status=400, headers=None):
            answer = sim.get(target, headers)
            check("users: " + name, answer.status == status and answer.code == code, answer)

        refused("$top 1000 refused", "/users?$top=1000", "Request_UnsupportedQuery")
        refused("$top 0 refused", "/users?$top=0", "BadRequest")
        refused("unknown property refused", "/users?$select=id,nonsense", "BadRequest")
        refused("property case matters", "/users?$select=userprincipalname", "BadRequest")
        refused("unknown option refused", "/users?$skip=1", "BadRequest")
        refused("option without dollar refused", "/users?top=1", "BadRequest")
        refused("repeated option refused", "/users?$top=1&$top=2", "BadRequest")
        refused("filter on unknown property", "/users?$filter=nonsense%20eq%20'x'", "BadRequest")
        refused("filter syntax", "/users?$filter=mail%20eq", "BadRequest")
        advanced = "/users?$select=id,userType&$filter=userType%20ne%20'Guest'"
        refused("ne without header", advanced, "Request_UnsupportedQuery")
        refused(
            "ne without $count",
            advanced,
            "Request_UnsupportedQuery",
            headers={"ConsistencyLevel": "eventual"},
        )
        answer = sim.get(advanced + "&$count=true", {"ConsistencyLevel": "eventual"})
        check(
            "users: ne with both", answer.status == 200 and answer.json["@odata.count"] == 9, answer
        )
        basic = sim.get("/users?$filter=userType%20eq%20'Guest'%20or%20startswith(mail,'sales')")
        check("users: basic filter", len(basic.json["value"]) == 2, basic)
        plans = sim.get(
            "/users?$select=id&$filter=assignedPlans/any(p:p/service%20eq%20'exchange'%20and"
            "%20p/capabilityStatus%20eq%20'Enabled')"
        )
        check("users: any()", plans.status == 200 and len(plans.json["value"]) == 6, plans)
        inside = sim.get("/users?$filter=id%20in%20('" + ANNA + "','x')")
        check("users: in", len(inside.json["value"]) == 1, inside)
        one = sim.get("/users/ANNA.kos@contoso.example?$select=id,mail")
        check("users: by principal name", one.json["id"] == ANNA, one)
        guest = [u for u in everyone if u["userType"] == "Guest"][0]
        upn = guest["userPrincipalName"]
        check(
            "users: #EXT# encoded",
            sim.get("/users/%s?$select=id" % quote(upn)).json["id"] == guest["id"],
        )
        refused(
            "unknown user",
            "/users/0b6f3c8a-0d1e-4f2a-9b3c-4d5e6f708192",
            "Request_ResourceNotFound",
            404,
        )
        refused(
            "guest has no mailbox",
            "/users/%s/mailFolders" % guest["id"],
            "MailboxNotEnabledForRESTAPI",
            404,
        )
        refused(
            "unknown recipient", "/users/x@contoso.example/mailFolders", "ErrorInvalidUser", 404
        )
        refused("empty user segment", "/users//mailFolders/inbox/messages", "BadRequest", 400)
        by_name = {u["userPrincipalName"]: u["id"] for u in everyone}
        refused(
            "no mailbox",
            "/users/%s/messages" % by_name["nora.nomail@contoso.example"],
            "MailboxNotEnabledForRESTAPI",
            404,
        )
        closed = sim.get("/users/%s/mailFolders" % by_name["carl.closed@contoso.example"])
        check(
            "users: closed by policy",
            closed.status == 403 and "RAOP" in closed.json["error"]["message"],
        )
        shared = by_name["sales@contoso.example"]
        check(
            "users: shared mailbox is readable",
            sim.get("/users/%s/mailFolders" % shared).status == 200,
        )
        purpose = sim.get("/users/%s/mailboxSettings/userPurpose" % shared)
        check("users: purpose", purpose.json["value"] == "shared", purpose)
        method = sim.get("/users", method="DELETE")
        check("users: wrong method is 405", method.status == 405, method)
        check("users: unknown path", sim.get("/people").status == 400)
        check("users: unknown segment", sim.get("/users/%s/mailfolders" % ANNA).status == 400)
        check("users: broken escape", sim.get("/users/%zz").status == 400)


def test_users_delta(binary):
    with Simulator(binary, "--users", "5", "--messages", "1") as sim:
        sim.control("settings", {"users_delta_page": 2})
        items, link, pages = sim.walk("/users/delta?$select=id,mail,userPrincipalName")
        check("users delta: first round", len(items) == 5 and pages == 3 and "$deltatoken=" in link)
        same, again, _ = sim.walk(link)
        check("users delta: nothing new", same == [])
        sim.control("users", {"op": "rename", "user": ANNA, "upn": "anna.new@contoso.example"})
        sim.control("users", {"op": "remove", "user": items[1]["id"]})
        sim.control("users", {"op": "remove", "user": items[2]["id"], "for_good": True})
        added = sim.control("users", {"op": "add", "messages": 3})
        changes, link, _ = sim.walk(again)
        by_id = {c["id"]: c for c in changes}
        check("users delta: rename", by_id[ANNA]["mail"] == "anna.new@contoso.example", changes)
        check("users delta: removed", by_id[items[1]["id"]]["@removed"] == {"reason": "changed"})
        check("users delta: gone", by_id[items[2]["id"]]["@removed"] == {"reason": "deleted"})
        check("users delta: added", added["id"] in by_id)
        removed = sim.get("/users/%s/mailFolders" % items[1]["id"])
        check(
            "users delta: removed user is 404", removed.code == "Request_ResourceNotFound", removed
        )
        sim.control("settings", {"users_delta_partial": True})
        sim.control("users", {"op": "set", "user": ANNA, "department": "Elsewhere"})
        partial, link, _ = sim.walk(link)
        check("users delta: partial", sorted(partial[0]) == ["id", "mail"], partial)
        restored = items[1]["id"]
        sim.control("users", {"op": "restore", "user": restored})
        back, link, _ = sim.walk(link)
        check("users delta: restored", [u["id"] for u in back] == [restored], back)
        sim.control("users", {"op": "remove", "user": restored})
        latest = sim.get("/users/delta?$select=id&$deltatoken=latest").json
        check("users delta: latest", latest["value"] == [] and "@odata.deltaLink" in latest)
        extra = sim.get(link + "&$select=id")
        check("users delta: option on a link refused", extra.status == 400)
        sim.control("expire-delta")
        gone = sim.get(link)
        check(
            "users delta: 410 with Location",
            gone.status == 410 and gone.headers["location"].endswith("$deltatoken="),
            gone,
        )
        fresh, _, _ = sim.walk(gone.headers["location"])
        check("users delta: Location restarts", len(fresh) == 4, len(fresh))


def test_groups(binary):
    with Simulator(binary, "--users", "4") as sim:
        groups = sim.control("tenant", method="GET")["groups"]
        outer = "/groups/%s" % groups[0]["id"]
        eventual = {"ConsistencyLevel": "eventual"}
        members = sim.get(outer + "/members?$select=id").json["value"]
        kinds = sorted(m["@odata.type"] for m in members)
        check(
            "groups: members are mixed",
            kinds.count("#microsoft.graph.group") == 1 and len(kinds) == 3,
        )
        cast = outer + "/transitiveMembers/microsoft.graph.user?$select=id,mail&$count=true&$top=3"
        check("groups: cast is advanced", sim.get(cast).code == "Request_UnsupportedQuery")
        page = sim.get(cast, eventual).json
        check(
            "groups: transitive users", page["@odata.count"] == 4 and len(page["value"]) == 3, page
        )
        rest = sim.get(page["@odata.nextLink"], eventual).json
        check("groups: next page", len(rest["value"]) == 1 and "@odata.count" not in rest)
        sim.control("groups", {"op": "delete", "group": groups[0]["id"]})
        check(
            "groups: deleted is 404", sim.get(outer + "/members").code == "Request_ResourceNotFound"
        )


# ------------------------------------------------------------------------------ folders


def test_folders(binary):
    with Simulator(binary, "--folders", "6", "--messages", "40") as sim:
        base = "/users/%s/mailFolders" % ANNA
        first = sim.get(base).json
        check("folders: default page is 10 or fewer", len(first["value"]) <= 10)
        visible, _, _ = sim.walk(base + "?$top=4")
        everything, _, _ = sim.walk(base + "?includeHiddenFolders=true&$top=3")
        names = [f["displayName"] for f in visible]
        check(
            "folders: top level",
            "Inbox" in names and "Sync Issues" in names and "Projects" not in names,
        )
        check(
            "folders: hidden ones on request only",
            "Clutter" not in names and "Clutter" in [f["displayName"] for f in everything],
        )
        check(
            "folders: recoverable items lie outside",
            "Deletions" not in [f["displayName"] for f in everything],
        )
        inbox = [f for f in visible if f["displayName"] == "Inbox"][0]
        children, _, _ = sim.walk("%s/%s/childFolders" % (base, quote(inbox["id"])))
        kinds = [f.get("@odata.type") for f in children]
        check("folders: search folder below inbox", "#microsoft.graph.mailSearchFolder" in kinds)
        check("folders: child count", inbox["childFolderCount"] == len(children))
        named = sim.get(base + "/inbox?$select=id")
        check(
            "folders: well-known name",
            named.json["id"] == inbox["id"] and set(named.json) == {"@odata.context", "id"},
            named,
        )
        check(
            "folders: recoverable items by name",
            sim.get(base + "/recoverableitemsdeletions").status == 200,
        )
        check("folders: root by name", sim.get(base + "/msgfolderroot").status == 200)
        key = sim.get("/users('%s')/mailFolders('%s')" % (ANNA, inbox["id"]))
        check("folders: key syntax", key.json["id"] == inbox["id"], key)
        folded = sim.get("%s/%s" % (base, quote(inbox["id"].lower())))
        check("folders: ids are case-sensitive", folded.status in (400, 404), folded)
        check(
            "folders: unknown name is 404", sim.get(base + "/scheduled").code == "ErrorItemNotFound"
        )
        check(
            "folders: malformed id is 400",
            sim.get(base + "/AAMk=").code == "ErrorInvalidIdMalformed",
        )
        truth = {f["name"]: f for f in sim.truth()["folders"]}
        odd = [n for n in truth if "/" in n and not n.isascii()]
        check("folders: a name with slash and umlaut", len(odd) > 0, list(truth))
        check(
            "folders: wellKnownName is not selectable",
            sim.get(base + "?$select=wellKnownName").status == 400,
        )
        check("folders: unknown option", sim.get(base + "?includehiddenfolders=true").status == 400)
        filtered = sim.get(base + "?$filter=displayName%20eq%20'Inbox'")
        check("folders: filter", len(filtered.json["value"]) == 1, filtered)
        write = sim.post(base, {"displayName": "x"})
        check(
            "folders: writing needs a role",
            write.status == 403 and write.code == "ErrorAccessDenied",
        )

        tracked, link, _ = sim.walk(base + "/delta")
        live = [f for f in truth.values() if f["parent"]]
        check(
            "folders delta: whole tree",
            sorted(f["id"] for f in tracked) == sorted(f["id"] for f in live),
        )
        check("folders delta: nothing new", sim.walk(link)[0] == [])
        made = sim.control(
            "folders", {"op": "create", "user": ANNA, "name": "New", "parent": "Projects"}
        )
        sim.control("folders", {"op": "rename", "user": ANNA, "folder": "archive", "name": "Attic"})
        changes, link, _ = sim.walk(link)
        got = {c["id"]: c for c in changes}
        check(
            "folders delta: create and rename",
            got[made["id"]]["displayName"] == "New"
            and got[truth["Archive"]["id"]]["displayName"] == "Attic",
            changes,
        )
        sim.control(
            "folders", {"op": "move", "user": ANNA, "folder": made["id"], "parent": "msgfolderroot"}
        )
        sim.control("folders", {"op": "delete", "user": ANNA, "folder": "Projects"})
        changes, link, _ = sim.walk(link)
        got = {c["id"]: c for c in changes}
        check(
            "folders delta: move keeps the id",
            got[made["id"]]["parentFolderId"] == truth["Inbox"]["parent"],
        )
        check(
            "folders delta: delete",
            got[truth["Projects"]["id"]]["@removed"] == {"reason": "deleted"},
        )
        lost = sim.get(inbox_delta(folder=truth["Projects"]["id"]))
        check(
            "folders: deleted folder is 404",
            lost.status == 404 and lost.code == "ErrorItemNotFound",
        )


# ----------------------------------------------------------------------------- messages


def test_messages(binary):
    with Simulator(binary, "--messages", "60") as sim:
        truth = sim.truth(sha256=True)
        inbox = sim.folder("inbox")
        mine = {m["id"]: m for m in truth["messages"] if m["folder"] == inbox}
        base = "/users/%s/mailFolders/inbox/messages" % ANNA
        first = sim.get(base).json
        check("messages: default page is 10", len(first["value"]) == 10)
        listed, _, _ = sim.walk(base + "?$select=id,receivedDateTime&$top=7")
        check("messages: paging finds all", {m["id"] for m in listed} == set(mine))
        check("messages: no message twice", len(listed) == len(mine))
        stamp = listed[len(listed) // 2]["receivedDateTime"]
        newer = (
            base + "?$select=id,receivedDateTime&$top=100&$filter=receivedDateTime%20ge%20" + stamp
        )
        since = sim.get(newer + "&$orderby=receivedDateTime%20asc")
        times = [m["receivedDateTime"] for m in since.json["value"]]
        check(
            "messages: filter with order",
            times == sorted(times) and len(times) == len(listed) // 2 + 1,
        )
        bad = sim.get(base + "?$filter=isRead%20eq%20true&$orderby=receivedDateTime%20asc")
        check("messages: order must be filtered", bad.code == "InefficientFilter", bad)
        check("messages: $top above 1000", sim.get(base + "?$top=1001").status == 400)
        check("messages: unknown property", sim.get(base + "?$select=size").status == 400)
        check(
            "messages: mailbox-wide list",
            len(sim.walk("/users/%s/messages?$select=id&$top=50" % ANNA)[0]) >= len(mine),
        )
        check(
            "messages: mailbox-wide delta refused",
            sim.get("/users/%s/messages/delta" % ANNA).status == 400,
        )

        one = next(iter(mine))
        path = "/users/%s/messages/%s" % (ANNA, quote(one))
        full = sim.get(path).json
        check("messages: full resource", full["id"] == one and "body" in full and "from" in full)
        regular = sim.get(path, prefer=None).json["id"]
        check(
            "messages: another id without the preference",
            regular != one and regular == mine[one]["mutable_id"],
        )
        by_regular = sim.get("/users/%s/messages/%s" % (ANNA, quote(regular)))
        check("messages: the regular id works with the preference", by_regular.json["id"] == one)
        size = sim.get(
            path + "?$select=id&$expand=singleValueExtendedProperties($filter=id%20eq%20"
            "'Integer%200x0E08')"
        ).json
        check(
            "messages: size property",
            size["singleValueExtendedProperties"][0]["value"] == str(mine[one]["size"]),
            size,
        )
        folder_form = sim.get("%s/%s" % (base, quote(one)))
        check("messages: folder form of metadata", folder_form.json["id"] == one)
        wrong_case = one[:-13] + one[-13:].swapcase()
        answers = [
            sim.get("/users/%s/messages/%s" % (ANNA, quote(wrong_case))),
            sim.get("/users/%s/messages/%s" % (ANNA, quote(one.lower()))),
        ]
        check(
            "messages: ids are case-sensitive",
            all(a.status in (400, 404) for a in answers),
            [str(a) for a in answers],
        )
        ids = [m["id"] for m in truth["messages"]]
        check("messages: some ids differ in case only", len({i.lower() for i in ids}) < len(ids))
        other = sim.truth("bo.lind@contoso.example")["messages"][0]["id"]
        foreign = sim.get("/users/%s/messages/%s" % (ANNA, quote(other)))
        check(
            "messages: foreign id is malformed", foreign.code == "ErrorInvalidIdMalformed", foreign
        )

        value = sim.get(path + "/$value")
        check(
            "value: bytes",
            hashlib.sha256(value.body).hexdigest() == mine[one]["sha256"]
            and len(value.body) == mine[one]["size"],
        )
        check(
            "value: chunked text/plain",
            value.headers["content-type"] == "text/plain"
            and value.headers.get("transfer-encoding") == "chunked"
            and "content-length" not in value.headers,
        )
        check("value: CRLF lines", value.body.count(b"\n") == value.body.count(b"\r\n"))
        check(
            "value: folder form is 405",
            sim.get("%s/%s/$value" % (base, quote(one))).code == "ErrorInvalidRequest",
        )
        check("value: options refused", sim.get(path + "/$value?$select=id").status == 400)
        good = all(
            hashlib.sha256(
                sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(m["id"]))).body
            ).hexdigest()
            == m["sha256"]
            for m in truth["messages"]
        )
        check("value: every message as the truth says", good)

        with_files = [
            m
            for m in truth["messages"]
            if sim.get(
                "/users/%s/messages/%s?$select=hasAttachments" % (ANNA, quote(m["id"]))
            ).json["hasAttachments"]
        ]
        where = "/users/%s/messages/%s/attachments" % (ANNA, quote(with_files[0]["id"]))
        files = sim.get(where).json["value"]
        check(
            "attachments: listed",
            files and files[0]["@odata.type"] == "#microsoft.graph.fileAttachment",
        )
        raw = sim.get("%s/%s/$value" % (where, quote(files[0]["id"]))).body
        check(
            "attachments: content",
            raw == base64.b64decode(files[0]["contentBytes"]) and len(raw) == files[0]["size"],
        )

        swap = sim.post(
            "/users/%s/translateExchangeIds" % ANNA,
            {
                "inputIds": [regular, "inbox"],
                "sourceIdType": "restId",
                "targetIdType": "restImmutableEntryId",
            },
        ).json["value"]
        check("translate: regular to immutable", swap[0]["targetId"] == one, swap)
        check(
            "translate: a name is malformed",
            swap[1]["errorDetails"]["code"] == "ErrorInvalidIdMalformed",
            swap,
        )

        sim.control("move", {"user": ANNA, "message": one, "folder": "archive"})
        check(
            "move: immutable id stays",
            sim.get(path).json["parentFolderId"] == sim.folder("archive"),
        )
        stale = sim.get("/users/%s/messages/%s" % (ANNA, quote(regular)))
        check(
            "move: regular id is gone",
            stale.status == 404 and stale.code == "ErrorItemNotFound",
            stale,
        )
        check("move: regular id is new", sim.get(path, prefer=None).json["id"] != regular)
        sim.control("delete", {"user": ANNA, "message": one})
        check("delete: 404", sim.get(path + "/$value").code == "ErrorItemNotFound")
        check(
            "delete: the truth remembers",
            [m for m in sim.truth()["messages"] if m["id"] == one][0]["deleted"],
        )


def test_damage(binary):
    with Simulator(binary, "--messages", "30") as sim:
        sim.login()
        mime = (
            b"Received: by mx.contoso.example;\r\n Mon, 28 Sep 2026 21:03:10 +0000\r\n"
            b"From: bo@fabrikam.example\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b"
            b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--b\r\n"
            b"Content-Type: image/png; name=a.png\r\nContent-Disposition: inline\r\n"
            b"Content-ID: <a@b>\r\n\r\npng\r\n--b--\r\n"
        )
        made = sim.control(
            "deliver", {"user": ANNA, "mime_base64": base64.b64encode(mime).decode()}
        )["messages"][0]["id"]
        path = "/users/%s/messages/%s" % (ANNA, quote(made))
        listed = "/users/%s/mailFolders/inbox/messages?$top=100&$select=" % ANNA

        shown = sim.get(path + "?$select=internetMessageHeaders,body").json
        check(
            "message: transport headers, unfolded, in order",
            [(h["name"], h["value"]) for h in shown["internetMessageHeaders"]][:2]
            == [
                ("Received", "by mx.contoso.example; Mon, 28 Sep 2026 21:03:10 +0000"),
                ("From", "bo@fabrikam.example"),
            ],
            shown,
        )
        check(
            "message: an HTML body",
            shown["body"]["contentType"] == "html" and "hello" in shown["body"]["content"],
        )
        draft = sim.control("deliver", {"user": ANNA, "folder": "drafts"})["messages"][0]["id"]
        none = sim.get(
            "/users/%s/messages/%s?$select=internetMessageHeaders" % (ANNA, quote(draft))
        ).json
        check("message: a draft has no transport headers", none["internetMessageHeaders"] == [])

        cast = "microsoft.graph.fileAttachment/contentId"
        files = sim.get(path + "/attachments?$select=id,name,isInline," + cast).json["value"]
        check(
            "attachments: selected",
            files[0]["contentId"] == "<a@b>"
            and files[0]["isInline"]
            and "contentBytes" not in files[0]
            and "@odata.type" in files[0],
            files,
        )
        wrong = sim.get(path + "/attachments?$select=contentId")
        check("attachments: a property of the derived type needs its cast", wrong.status == 400)

        def damage(**how):
            sim.control("damage", dict(how, user=ANNA, message=made))

        damage(mime=True)
        check(
            "damage: mime",
            sim.get(path + "/$value").code == "ErrorMimeContentConversionFailed"
            and sim.get(path).status == 200,
        )
        damage(body=True)
        check(
            "damage: body",
            sim.get(path + "?$select=body").code == "ErrorContentConversionFailed"
            and sim.get(path + "?$select=subject,from").status == 200
            and sim.get(path + "/$value").status == 200,
        )
        damage(fields=True)
        check(
            "damage: fields",
            sim.get(listed + "id,isDraft").status == 500
            and sim.get(inbox_delta(), prefer=IMMUTABLE + ", odata.maxpagesize=100").status == 500
            and sim.get(listed + "id").status == 200,
        )
        damage(listing=True)
        broken = sim.get(listed + "id")
        check("damage: listing", broken.status == 500 and "processing" in str(broken), broken)
        near = sim.get(listed.replace("$top=100", "$top=1&$skip=1") + "id")
        check("damage: pages without it are fine", near.status == 200, near)
        damage()
        check(
            "damage: repaired",
            sim.get(listed + "id,isDraft").status == 200 and sim.get(path + "/$value").body == mime,
        )


def test_awkward_ids(binary):
    with Simulator(binary, "--awkward-ids") as sim:
        one = sim.truth()["messages"][0]["id"]
        check("awkward ids: '/' and '+'", "/" in one and "+" in one, one)
        check(
            "awkward ids: encoded works",
            sim.get("/users/%s/messages/%s" % (ANNA, quote(one))).status == 200,
        )
        raw = sim.get("/users/%s/messages/%s" % (ANNA, one))
        check("awkward ids: raw does not", raw.status in (400, 404), raw)


def test_content_sources(binary):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "sub"))
        texts = {}
        for i in range(30):
            name = os.path.join(folder, "sub" if i % 2 else "", "m%02d.eml" % i)
            texts[name] = (
                b"From: =?utf-8?Q?J=C3=B6rg?= <j@x.example>\nSubject: n%d\nMessage-ID: <%d@x>\n\n"
                b"bare LF \xff\x00 %d\n" % (i, i, i)
            )
            with open(name, "wb") as file:
                file.write(texts[name])
        with open(os.path.join(folder, "other.txt"), "w") as file:
            file.write("not mail")
        with Simulator(binary, "--mail", folder, "--users", "2") as sim:
            tenant = sim.control("tenant?sha256=1", method="GET")
            messages = [(u["id"], m) for u in tenant["users"] for m in u["messages"]]
            check(
                "mail directory: every .eml once",
                sorted(m["source"] for _, m in messages) == sorted(texts),
            )
            check(
                "mail directory: spread over users and folders",
                len({u for u, _ in messages}) == 2 and len({m["folder"] for _, m in messages}) > 4,
            )
            exact = all(
                sim.get("/users/%s/messages/%s/$value" % (u, quote(m["id"]))).body
                == texts[m["source"]]
                for u, m in messages
            )
            check("mail directory: bytes exact", exact)
            user, message = messages[0]
            meta = sim.get("/users/%s/messages/%s" % (user, quote(message["id"]))).json
            check(
                "mail directory: metadata from the header",
                meta["subject"].startswith("n")
                and meta["from"]["emailAddress"]["name"] == "J\u00f6rg",
                meta,
            )
    large = 150 * 1000 * 1000
    with Simulator(binary, "--large-bytes", str(large), "--messages", "3") as sim:
        message = [m for m in sim.truth()["messages"] if m["size"] == large][0]
        path = "/v1.0/users/%s/messages/%s/$value" % (ANNA, quote(message["id"]))
        sim.login()
        digest, total = hashlib.sha256(), 0
        connection = http.client.HTTPConnection(sim.host, sim.port, timeout=120)
        connection.request("GET", path, headers={"Authorization": "Bearer " + sim.bearer})
        reply = connection.getresponse()
        while True:
            part = reply.read(1 << 20)
            if not part:
                break
            digest.update(part)
            total += len(part)
        connection.close()
        with open("/proc/%d/status" % sim.process.pid) as status:
            peak = int([l for l in status if l.startswith("VmHWM")][0].split()[1])
        check("large message: 150 MB streamed", total == large, total)
        check("large message: little memory", peak < 60000, peak)
        said = [m for m in sim.truth(sha256=True)["messages"] if m["size"] == large][0]["sha256"]
        check("large message: digest", digest.hexdigest() == said)
    with Simulator(binary, "--seed", "7") as a, Simulator(binary, "--seed", "7") as b, Simulator(
        binary, "--seed", "8"
    ) as c:
        same = [[m["sha256"] for m in s.truth(sha256=True)["messages"]] for s in (a, b, c)]
        check("seed: the same tenant again", same[0] == same[1] and same[0] != same[2])


# -------------------------------------------------------------------------------- delta


def test_delta(binary):
    with Simulator(binary, "--messages", "60") as sim:
        truth = sim.truth()
        inbox = sim.folder("inbox")
        mine = {m["id"] for m in truth["messages"] if m["folder"] == inbox}
        prefer = IMMUTABLE + ", odata.maxpagesize=7"
        items, link, pages = sim.walk(inbox_delta(), prefer)
        check(
            "delta: first round complete",
            {m["id"] for m in items} == mine and len(items) == len(mine),
        )
        check("delta: page size by preference", pages == -(-len(mine) // 7), pages)
        check(
            "delta: item shape",
            all(
                m["@odata.type"].startswith("#microsoft.graph.") and "@odata.etag" in m
                for m in items
            ),
        )
        check("delta: key syntax in links", "/users('%s')/mailFolders('" % ANNA in link)
        first = sim.get(inbox_delta(), prefer=prefer)
        check(
            "delta: Preference-Applied",
            "odata.maxpagesize=7" in first.headers["preference-applied"],
        )
        ten = sim.get(inbox_delta()).json
        check("delta: default page is 10", len(ten["value"]) == 10)
        check("delta: nothing new", sim.walk(link)[0] == [])
        regular, _, _ = sim.walk(inbox_delta("$select=id"), None)
        check("delta: regular ids without the preference", not ({m["id"] for m in regular} & mine))

        def refused(name, target, status=400):
            answer = sim.get(target)
            check("delta: " + name, answer.status == status, answer)

        refused("option on deltaLink refused", link + "&$select=id")
        refused("option on nextLink refused", ten["@odata.nextLink"] + "&$top=5")
        token = link.split("$deltatoken=")[1]
        refused("altered token refused", link.replace(token, token[:-4] + "AAAA"))
        refused(
            "token of another folder refused", inbox_delta("$deltatoken=" + token, folder="archive")
        )
        refused("delta token as skip token refused", inbox_delta("$skiptoken=" + token))
        refused("deltatoken=latest refused", inbox_delta("$deltatoken=latest"))
        refused("other filter refused", inbox_delta("$filter=isRead%20eq%20true"))
        refused("other order refused", inbox_delta("$orderby=subject"))
        refused("$search refused", inbox_delta("$search=x"))
        refused("bad page size refused", inbox_delta()[:-1] + "X")

        new = sim.control("deliver", {"user": ANNA, "folder": "inbox", "count": 3})["messages"]
        victim, mover, toucher = sorted(mine)[:3]
        sim.control("delete", {"user": ANNA, "message": victim})
        sim.control("move", {"user": ANNA, "message": mover, "folder": "archive"})
        sim.control("touch", {"user": ANNA, "message": toucher})
        _, archive_link, _ = sim.walk(inbox_delta(folder="archive"))
        changes, link, _ = sim.walk(link)
        got = {c["id"]: c for c in changes}
        check("delta: deliveries", all(m["id"] in got for m in new))
        check("delta: deletion", got[victim].get("@removed") == {"reason": "deleted"}, got[victim])
        check("delta: removed item shape", set(got[victim]) == {"@odata.type", "id", "@removed"})
        check("delta: move out is a removal", got[mover].get("@removed") == {"reason": "deleted"})
        check("delta: touched item", toucher in got and "@removed" not in got[toucher])
        check("delta: nothing else", len(changes) == 6, len(changes))
        check("delta: round trip", sim.walk(link)[0] == [])
        sim.control("move", {"user": ANNA, "message": new[0]["id"], "folder": "archive"})
        arrived, archive_link, _ = sim.walk(archive_link)
        check(
            "delta: move in is a creation with the same id",
            [m["id"] for m in arrived] == [new[0]["id"]] and "subject" in arrived[0],
        )
        sim.control("move", {"user": ANNA, "message": new[0]["id"], "folder": "inbox"})
        changes, link, _ = sim.walk(link)
        check(
            "delta: there and back is listed",
            [c["id"] for c in changes] == [new[0]["id"]] and "@removed" not in changes[0],
            changes,
        )
        sim.control("settings", {"immutable_loss": True})
        sim.control("move", {"user": ANNA, "message": new[1]["id"], "folder": "archive"})
        sim.control("move", {"user": ANNA, "message": new[1]["id"], "folder": "inbox"})
        changes, link, _ = sim.walk(link)
        check(
            "delta: there and back is lost on request",
            changes
            and changes[0]["id"] == new[1]["id"]
            and "@removed" in changes[0]
            and len(changes) == 1,
            changes,
        )
        check("delta: still lost", sim.walk(link)[0] == [])
        check(
            "delta: a fresh round has it",
            new[1]["id"] in [m["id"] for m in sim.walk(inbox_delta())[0]],
        )
        sim.control("touch", {"user": ANNA, "message": new[1]["id"]})
        changes, link, _ = sim.walk(link)
        check(
            "delta: a change brings it back",
            changes[0]["id"] == new[1]["id"] and "@removed" not in changes[0],
        )
        sim.control("settings", {"immutable_loss": False})

        draft = sim.control("deliver", {"user": ANNA, "folder": "drafts", "draft": True})[
            "messages"
        ][0]
        _, sent_link, _ = sim.walk(inbox_delta(folder="sentitems"))
        sent = sim.control("send-draft", {"user": ANNA, "message": draft["id"]})
        changes, _, _ = sim.walk(sent_link)
        check(
            "delta: a sent draft keeps its id",
            [c["id"] for c in changes] == [draft["id"]] and changes[0]["isDraft"] is False,
        )
        body = sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(draft["id"]))).body
        check(
            "delta: a sent draft has new bytes", hashlib.sha256(body).hexdigest() != draft["sha256"]
        )
        again = [m for m in sim.truth(sha256=True)["messages"] if m["id"] == draft["id"]][0]
        check(
            "delta: the truth keeps the earlier digest",
            again["earlier_sha256"] == [draft["sha256"]] and again["folder"] == sent["folder"],
        )

        sim.control("settings", {"empty_pages": True})
        page = sim.get(inbox_delta()).json
        check("delta: empty page with nextLink", page["value"] == [] and "@odata.nextLink" in page)
        live = {
            m["id"] for m in sim.truth()["messages"] if m["folder"] == inbox and not m["deleted"]
        }
        check(
            "delta: all found behind empty pages",
            {m["id"] for m in sim.walk(inbox_delta())[0]} == live,
        )
        sim.control("settings", {"empty_pages": False, "replay": 2})
        check("delta: replay repeats items", len(sim.walk(link)[0]) > 0)
        sim.control("settings", {"replay": 0, "partial_flips": True})
        _, link, _ = sim.walk(inbox_delta())
        sim.control("touch", {"user": ANNA, "message": new[1]["id"]})
        changes, link, _ = sim.walk(link)
        check(
            "delta: partial flip",
            set(changes[0]) == {"@odata.type", "@odata.etag", "isRead", "parentFolderId", "id"},
            changes,
        )
        sim.control("settings", {"partial_flips": False, "delay_changes_ms": 700})
        late = sim.control("deliver", {"user": ANNA, "folder": "inbox"})["messages"][0]
        none, link, _ = sim.walk(link)
        time.sleep(0.9)
        some, link, _ = sim.walk(link)
        check(
            "delta: changes may come late", none == [] and [c["id"] for c in some] == [late["id"]]
        )
        sim.control("settings", {"delay_changes_ms": 0})

        capped, end, _ = sim.walk(inbox_delta("$select=id&$top=12"))
        check("delta: $top caps the round", len(capped) == 12 and end is not None)
        check("delta: and what it cut is not in the next", sim.walk(end)[0] == [])
        desc, end, _ = sim.walk(
            inbox_delta("$select=receivedDateTime&$orderby=receivedDateTime%20desc")
        )
        times = [m["receivedDateTime"] for m in desc]
        check(
            "delta: ordered first round",
            times == sorted(times, reverse=True) and len(desc) == len(live) + 1,
        )
        since, end, _ = sim.walk(
            inbox_delta("$select=id&$filter=receivedDateTime%20ge%20" + times[9])
        )
        check("delta: filtered", len(since) == len([t for t in times if t >= times[9]]))
        for kind, expected in (("created", 1), ("updated", 1), ("deleted", 1)):
            _, end, _ = sim.walk(inbox_delta("$select=id&changeType=" + kind))
            fresh = sim.control("deliver", {"user": ANNA, "folder": "inbox", "count": 2})[
                "messages"
            ]
            _ = sim.control("touch", {"user": ANNA, "message": toucher})
            before = sorted(live - {victim, mover, toucher})[
                ["created", "updated", "deleted"].index(kind)
            ]
            sim.control("delete", {"user": ANNA, "message": before})
            got = sim.walk(end)[0]
            want = {"created": {m["id"] for m in fresh}, "updated": {toucher}, "deleted": {before}}[
                kind
            ]
            check("delta: changeType=" + kind, {c["id"] for c in got} == want, got)

        _, link, _ = sim.walk(inbox_delta())
        _, other, _ = sim.walk(inbox_delta(folder="archive"))
        sim.control("expire-delta", {"user": ANNA, "folder": "inbox"})
        gone = sim.get(link)
        check(
            "delta: expired is 410 SyncStateNotFound",
            gone.status == 410
            and gone.code == "SyncStateNotFound"
            and "generation=" in gone.json["error"]["message"],
            gone,
        )
        check("delta: other folders keep theirs", sim.get(other).status == 200)
        sim.control("users", {"op": "set", "user": ANNA, "mailbox": "quota"})
        check("delta: full mailbox", sim.get(inbox_delta()).code == "ErrorQuotaExceeded")
        check(
            "delta: full mailbox can be listed",
            sim.get("/users/%s/mailFolders/inbox/messages" % ANNA).status == 200,
        )
        search = sim.folder("Weekly digests")
        sim.control("users", {"op": "set", "user": ANNA, "mailbox": "enabled"})
        found, _, _ = sim.walk(inbox_delta(folder=search))
        check(
            "delta: a search folder repeats the inbox",
            found and {m["id"] for m in found} <= {m["id"] for m in sim.walk(inbox_delta())[0]},
        )


def test_delta_during_walk(binary):
    with Simulator(binary, "--messages", "60") as sim:
        prefer = IMMUTABLE + ",odata.maxpagesize=5"
        page = sim.get(inbox_delta(), prefer=prefer).json
        state = {m["id"] for m in page["value"]}
        shown = page["value"][0]["id"]
        sim.control("delete", {"user": ANNA, "message": shown})
        hidden = [
            m["id"]
            for m in sim.truth()["messages"]
            if m["folder"] == sim.folder("inbox") and not m["deleted"] and m["id"] not in state
        ][0]
        sim.control("delete", {"user": ANNA, "message": hidden})
        new = sim.control("deliver", {"user": ANNA, "folder": "inbox"})["messages"][0]["id"]

        def apply(items):
            for item in items:
                if "@removed" in item:
                    state.discard(item["id"])
                else:
                    state.add(item["id"])

        items, link, _ = sim.walk(page["@odata.nextLink"], prefer)
        apply(items)
        apply(sim.walk(link, prefer)[0])
        live = {
            m["id"]
            for m in sim.truth()["messages"]
            if m["folder"] == sim.folder("inbox") and not m["deleted"]
        }
        check(
            "delta walk: changes during paging are not lost",
            state == live and new in state and shown not in state and hidden not in state,
        )
        # An ordered walk loses nothing either.
        page = sim.get(
            inbox_delta("$select=id,receivedDateTime&$orderby=receivedDateTime%20desc"),
            prefer=prefer,
        ).json
        state.clear()
        apply(page["value"])
        sim.control("delete", {"user": ANNA, "message": page["value"][1]["id"]})
        sim.control("deliver", {"user": ANNA, "folder": "inbox"})
        items, link, _ = sim.walk(page["@odata.nextLink"], prefer)
        apply(items)
        apply(sim.walk(link, prefer)[0])
        live = {
            m["id"]
            for m in sim.truth()["messages"]
            if m["folder"] == sim.folder("inbox") and not m["deleted"]
        }
        check("delta walk: ordered rounds too", state == live)


def test_filter_cap(binary):
    with Simulator(binary, "--users", "1", "--messages", "12000") as sim:
        sim.control("settings", {"page_size_max": 1000})
        prefer = IMMUTABLE + ",odata.maxpagesize=1000"
        items, _, _ = sim.walk(
            inbox_delta("$select=id&$filter=receivedDateTime%20ge%202000-01-01T00:00:00Z"), prefer
        )
        check("delta: a filter gives at most 5,000", len(items) == 5000, len(items))
        everything, _, _ = sim.walk(inbox_delta("$select=id"), prefer)
        check("delta: without filter all", len(everything) > 5000)
        big = sim.get(inbox_delta("$select=id"), prefer=IMMUTABLE + ",odata.maxpagesize=5000").json
        check("delta: page size is capped", len(big["value"]) == 1000)


# ------------------------------------------------------------------------------- limits


def test_limits(binary):
    with Simulator(binary, "--latency-ms", "250", "--extras") as sim:
        sim.login()
        sim.control("settings", {"retry_after": 7})
        path = "/users/%s/mailFolders/inbox" % ANNA
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            begin = time.time()
            four = list(pool.map(lambda _: sim.get(path).status, range(4)))
            check("limits: four at a time pass", four == [200] * 4 and time.time() - begin < 2)
            six = list(pool.map(lambda _: sim.get(path), range(6)))
        refused = [a for a in six if a.status == 429]
        check("limits: the fifth and sixth are refused", len(refused) == 2, [a.status for a in six])
        check(
            "limits: shape",
            refused
            and refused[0].code == "ApplicationThrottled"
            and "MailboxConcurrency" in refused[0].json["error"]["message"]
            and refused[0].headers["retry-after"] == "7",
        )
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            users = [ANNA, "bo.lind@contoso.example"] * 4
            both = list(
                pool.map(lambda u: sim.get("/users/%s/mailFolders/inbox" % u).status, users)
            )
        check("limits: per mailbox", both == [200] * 8, both)
        sim.control("settings", {"app_max_concurrent": 2})
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            three = list(
                pool.map(
                    lambda u: sim.get("/users/%s/mailFolders/inbox" % u),
                    [ANNA, "bo.lind@contoso.example", ANNA],
                )
            )
        refused = [a for a in three if a.status == 429]
        check("limits: of the app", len(refused) == 1, [a.status for a in three])
        check("limits: of the app, shape", refused and refused[0].code == "TooManyRequests")
        sim.control("settings", {"app_max_concurrent": 0})
        metrics = sim.control("metrics", method="GET")
        check(
            "limits: metrics",
            metrics["throttled"] == 3 and metrics["max_in_flight"]["anna.kos@contoso.example"] == 5,
            metrics,
        )
        # A body that is still being sent keeps its place.
        sim.control("settings", {"latency_ms": 0})
        big = sim.control("deliver", {"user": ANNA, "size": 40000000, "sha256": False})["messages"][
            0
        ]["id"]
        target = "/v1.0/users/%s/messages/%s/$value" % (ANNA, quote(big))
        sockets = []
        for _ in range(4):
            s = socket.create_connection((sim.host, sim.port))
            s.sendall(
                (
                    "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\n\r\n"
                    % (target, sim.host, sim.port, sim.bearer)
                ).encode()
            )
            s.recv(100)
            sockets.append(s)
        check("limits: streaming bodies count", sim.get(path).status == 429)
        for s in sockets:
            s.close()
        time.sleep(0.3)
        check("limits: a broken connection frees its place", sim.get(path).status == 200)
        sim.control("settings", {"retry_after": None, "window_requests": 20, "window_ms": 1500})
        sim.control("reset-limits")
        statuses = [sim.get(path).status for _ in range(22)]
        check("limits: the window", statuses == [200] * 20 + [429] * 2, statuses)
        check("limits: no Retry-After on request", "retry-after" not in sim.get(path).headers)
        time.sleep(0.8)
        check("limits: refused requests count too", sim.get(path).status == 429)
        time.sleep(1.6)
        check("limits: the window slides on", sim.get(path).status == 200)
        sim.control("settings", {"limits": False})
        check(
            "limits: may be switched off", [sim.get(path).status for _ in range(30)] == [200] * 30
        )
        check(
            "limits: directory paths are not counted",
            all(sim.get("/users?$top=1").status == 200 for _ in range(10)),
        )


# ------------------------------------------------------------------------------- faults


def raw_get(sim, path, accept=0.0):
    """The bytes of an answer until the connection ends, and how it ended."""
    s = socket.create_connection((sim.host, sim.port), timeout=5)
    s.sendall(
        (
            "GET /v1.0%s HTTP/1.1\r\nHost: %s:%d\r\nAuthorization: Bearer %s\r\nPrefer: %s\r\n\r\n"
            % (path, sim.host, sim.port, sim.bearer, IMMUTABLE)
        ).encode()
    )
    if accept:
        s.settimeout(accept)
    data, end = b"", "fin"
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            data += part
    except ConnectionResetError:
        end = "reset"
    except (socket.timeout, TimeoutError):
        end = "timeout"
    s.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body, end


def test_faults(binary):
    with Simulator(binary, "--messages", "60") as sim:
        sim.login()
        user = "/users/%s" % ANNA
        message = sorted(
            (m for m in sim.truth()["messages"] if not m["deleted"]), key=lambda m: -m["size"]
        )[0]
        value = "%s/messages/%s/$value" % (user, quote(message["id"]))

        def fault(match, action, **more):
            sim.control("faults", method="DELETE")
            rule = {"match": match, "action": action}
            rule.update(more)
            return sim.control("faults", rule)["id"]

        fault(
            {"route": "value"},
            {"status": 503, "headers": {"Retry-After": "2"}, "code": "MailboxInfoStale"},
            times=1,
        )
        broken = sim.get(value)
        check(
            "faults: status, code, header",
            broken.status == 503
            and broken.code == "MailboxInfoStale"
            and broken.headers["retry-after"] == "2",
            broken,
        )
        check("faults: times", sim.get(value).status == 200)
        fault(
            {"route": "any", "user": ANNA, "path_contains": "mailFolders"}, {"status": 500}, times=1
        )
        check(
            "faults: path_contains",
            sim.get(value).status == 200 and sim.get(user + "/mailFolders").status == 500,
        )
        fault({"route": "folders", "nth": 3}, {"status": 502})
        check(
            "faults: nth",
            [sim.get(user + "/mailFolders").status for _ in range(4)] == [200, 200, 502, 200],
        )
        fault({"route": "folders", "every": 2}, {"status": 504})
        check(
            "faults: every",
            [sim.get(user + "/mailFolders").status for _ in range(4)] == [200, 504, 200, 504],
        )
        fault({"route": "folders", "probability": 0.5}, {"status": 500})
        some = [sim.get(user + "/mailFolders").status for _ in range(40)]
        check("faults: probability", 5 < some.count(500) < 35, some.count(500))
        fault(
            {"message": message["id"]}, {"status": 500, "code": "ErrorMimeContentConversionFailed"}
        )
        check("faults: message", sim.get(value).code == "ErrorMimeContentConversionFailed")
        fault({"route": "token"}, {"status": 503, "html": True}, times=1)
        token = sim.token_request()
        check("faults: token with HTML", token.status == 503 and b"<html>" in token.body)
        fault({"route": "value"}, {"status": 200, "body": ""}, times=1)
        check("faults: empty 200", sim.get(value).body == b"")
        fault({"route": "value"}, {"status": 404, "empty_body": True}, times=1)
        check("faults: empty 404", sim.get(value).status == 404)
        fault(
            {"route": "users"}, {"status": 400, "code": "", "inner_code": "ResyncRequired"}, times=1
        )
        check(
            "faults: inner code",
            sim.get("/users").json["error"]["innerError"]["code"] == "ResyncRequired",
        )
        fault({"route": "value"}, {"delay_ms": 400}, times=1)
        begin = time.time()
        good = sim.get(value)
        check("faults: delay", time.time() - begin >= 0.4 and good.status == 200)
        fault({"route": "folders"}, {"redirect": "http://127.0.0.1:9/"}, times=1)
        moved = sim.get(user + "/mailFolders")
        check(
            "faults: redirect",
            moved.status == 302 and moved.headers["location"] == "http://127.0.0.1:9/",
        )

        fault({"route": "value"}, {"reset_after_bytes": 3000}, times=1)
        head, body, end = raw_get(sim, value)
        check("faults: reset in mid body", end == "reset", end)
        fault({"route": "value"}, {"close_after_bytes": 20000}, times=1)
        head, body, end = raw_get(sim, value)
        check(
            "faults: close inside a chunk",
            end == "fin"
            and not body.endswith(b"0\r\n\r\n")
            and 20000 <= len(body) < 20040
            and "chunked" in head,
            (end, len(body)),
        )
        fault({"route": "value"}, {"close_after_bytes": 16384}, times=1)
        head, body, end = raw_get(sim, value)
        check(
            "faults: close between chunks",
            end == "fin"
            and body.endswith(b"\r\n")
            and not body.endswith(b"0\r\n\r\n")
            and len(body) == 16384 + len("4000\r\n") + 2,
            len(body),
        )
        sim.control("settings", {"chunk_size": 1000})
        fault({"route": "value"}, {"close_after_bytes": 0}, times=1)
        head, body, end = raw_get(sim, value)
        check(
            "faults: close before the first byte",
            head.startswith("HTTP/1.1 200") and body == b"" and end == "fin",
            body[:50],
        )
        sim.control("settings", {"chunk_size": 16384})
        fault({"route": "value"}, {"short_content_length": 10}, times=1)
        head, body, end = raw_get(sim, value)
        check(
            "faults: short body",
            "Content-Length: %d" % message["size"] in head
            and len(body) == message["size"] - 10
            and end == "fin",
            (head, len(body)),
        )
        fault({"route": "folders"}, {"close_after_bytes": 50}, times=1)
        head, body, end = raw_get(sim, user + "/mailFolders")
        check("faults: JSON cut by close", len(body) == 50 and end == "fin")
        fault({"route": "folders"}, {"truncate_body": 50}, times=1)
        check("faults: JSON cut with right length", len(sim.get(user + "/mailFolders").body) == 50)
        fault({"route": "value"}, {"no_response": True}, times=1)
        head, body, end = raw_get(sim, value)
        check("faults: no response", head == "" and end == "fin")
        fault({"route": "value"}, {"no_response": True, "reset_after_bytes": 0}, times=1)
        check("faults: no response but a reset", raw_get(sim, value)[::2] == ("", "reset"))
        fault({"route": "value"}, {"hang": True}, times=1)
        head, body, end = raw_get(sim, value, 0.5)
        check("faults: hang", head == "" and end == "timeout")
        fault({"route": "value"}, {"stall_after_bytes": 5000}, times=1)
        head, body, end = raw_get(sim, value, 0.5)
        check("faults: stall in mid body", end == "timeout" and len(body) >= 5000)
        time.sleep(0.2)
        log = sim.control("log?since=0", method="GET")["entries"]
        check("faults: broken answers are marked", any(not e["complete"] for e in log))
        fault({"route": "value"}, {"hang": True})
        threads = [threading.Thread(target=raw_get, args=(sim, value, 0.8)) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.4)
        check(
            "faults: hanging requests hold their places",
            sim.get(user + "/mailFolders").status == 429,
        )
        for t in threads:
            t.join()
        time.sleep(0.3)
        check("faults: until the client gives up", sim.get(user + "/mailFolders").status == 200)

        delta = inbox_delta("$select=id")
        fault({"route": "delta"}, {"next_link": "http://evil.example/steal"}, times=1)
        check(
            "faults: planted nextLink",
            sim.get(delta).json["@odata.nextLink"] == "http://evil.example/steal",
        )
        fault({"route": "delta"}, {"drop_links": True}, times=1)
        check("faults: no link", not [k for k in sim.get(delta).json if k.endswith("Link")])
        fault({"route": "delta"}, {"both_links": True}, times=1)
        check(
            "faults: both links", len([k for k in sim.get(delta).json if k.endswith("Link")]) == 2
        )
        fault({"route": "delta"}, {"duplicate_items": True}, times=1)
        check("faults: duplicate items", len(sim.get(delta).json["value"]) == 20)
        first = sim.get(delta).json
        ids = [item["id"] for item in first["value"]]
        fault({"route": "delta"}, {"reverse_items": True}, times=1)
        check(
            "faults: items backwards",
            [item["id"] for item in sim.get(delta).json["value"]] == ids[::-1],
        )
        fault(
            {"route": "delta"},
            {"first_items": [{"id": "a"}], "last_items": [{"id": "b", "@removed": {}}]},
            times=1,
        )
        check(
            "faults: planted items",
            [item["id"] for item in sim.get(delta).json["value"]] == ["a", *ids, "b"],
        )
        fault({"route": "delta"}, {"loop": "same"})
        circle = sim.get(delta).json["@odata.nextLink"]
        check("faults: circle", sim.get(circle).json["@odata.nextLink"] == circle, circle)
        fault({"route": "delta", "path_contains": "token"}, {"loop": "changing"})
        link, links, pages = first["@odata.nextLink"], set(), []
        for _ in range(20):
            links.add(link)
            page = sim.get(link).json
            pages.append([item["id"] for item in page["value"]])
            link = page["@odata.nextLink"]
        check(
            "faults: ever another link to the same page",
            len(links) == 20 and pages[0] and all(page == pages[0] for page in pages),
        )
        fault({"route": "delta"}, {"replace": ["{", "\ufeff{"]}, times=1)
        check("faults: replaced text", sim.get(delta).body.startswith(b"\xef\xbb\xbf{"))
        plain = sim.get(value).body
        fault({"route": "value"}, {"gzip": True}, times=1)
        packed = sim.get(value)
        check(
            "faults: gzip",
            packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain,
        )
        fault({"route": "value"}, {"headers": {"Date": "Thu, 01 Jan 2026 00:00:00 GMT"}}, times=1)
        head, body, end = raw_get(sim, value)
        check("faults: another date", head.count("Date:") == 1 and "01 Jan 2026" in head, head)
        fault({"route": "value"}, {"close_silently": True}, times=1)
        head, body, end = raw_get(sim, value)
        check(
            "faults: closed without notice",
            "close" not in head and body.endswith(b"0\r\n\r\n") and end == "fin",
            (head, end),
        )
        fault({"route": "value"}, {"pause_in_head_ms": 400}, times=1)
        begin = time.time()
        slow = sim.get(value)
        check("faults: slow head", time.time() - begin >= 0.4 and slow.body == plain)

        def firing():
            fault({"route": "folders", "probability": 0.5, "seed": 7}, {"status": 500})
            return [sim.get(user + "/mailFolders").status for _ in range(20)]

        check("faults: a seed repeats what fires", firing() == firing())
        sim.control("settings", {"page_size_fixed": 3})
        check(
            "faults: a page size of its own",
            len(sim.get(delta, prefer="odata.maxpagesize=20").json["value"]) == 3,
        )
        sim.control("settings", {"page_size_fixed": 0})
        fault(
            {"route": "delta"},
            {"body": '{"value":[', "content_type": "application/json", "status": 200},
            times=1,
        )
        check("faults: raw body", sim.get(delta).body == b'{"value":[')
        fault({"route": "any"}, {"close_connection": True}, times=1)
        check("faults: connection close", sim.get("/users").headers.get("connection") == "close")
        answer = sim.request(
            "POST", "/control/faults", {}, json.dumps({"match": {"nonsense": 1}, "action": {}})
        )
        check("faults: unknown members refused", answer.status == 400)
        sim.control("faults", method="DELETE")


# -------------------------------------------------------------------------------- batch


def test_batch(binary):
    with Simulator(binary, "--extras", "--messages", "8") as sim:
        one = sim.truth()["messages"][0]
        guest = [u for u in sim.control("tenant", method="GET")["users"] if u["type"] == "Guest"][
            0
        ]["id"]

        def ask(requests, **headers):
            return sim.post("/$batch", {"requests": requests}, headers)

        good = ask(
            [
                {
                    "id": "1",
                    "method": "GET",
                    "url": "/users/%s/mailFolders/inbox?$select=id" % ANNA,
                },
                {"id": "2", "method": "GET", "url": "users/%s/mailFolders/inbox" % guest},
                {
                    "id": "3",
                    "method": "GET",
                    "url": "/users/%s/messages/%s/$value" % (ANNA, quote(one["id"])),
                },
                {
                    "id": "4",
                    "method": "GET",
                    "url": "/users/%s/messages/%s?$select=id" % (ANNA, quote(one["id"])),
                },
                {
                    "id": "5",
                    "method": "GET",
                    "url": "/users/%s/messages/%s?$select=id" % (ANNA, quote(one["id"])),
                    "headers": {"Prefer": IMMUTABLE},
                },
                {
                    "id": "6",
                    "method": "POST",
                    "url": "/users/%s/translateExchangeIds" % ANNA,
                    "headers": {"Content-Type": "application/json"},
                    "body": {
                        "inputIds": [one["mutable_id"]],
                        "sourceIdType": "restId",
                        "targetIdType": "restImmutableEntryId",
                    },
                },
            ]
        )
        got = {r["id"]: r for r in good.json["responses"]}
        check(
            "batch: statuses",
            [got[str(i)]["status"] for i in range(1, 7)] == [200, 404, 200, 200, 200, 200],
            good,
        )
        check(
            "batch: $value is base64",
            hashlib.sha256(base64.b64decode(got["3"]["body"])).digest()
            == hashlib.sha256(
                sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(one["id"]))).body
            ).digest(),
        )
        check(
            "batch: outer preference is not inherited",
            got["4"]["body"]["id"] == one["mutable_id"] and got["5"]["body"]["id"] == one["id"],
        )
        check("batch: translate", got["6"]["body"]["value"][0]["targetId"] == one["id"])
        check(
            "batch: error body", got["2"]["body"]["error"]["code"] == "MailboxNotEnabledForRESTAPI"
        )
        sim.control("settings", {"batch_value_raw": True})
        raw = ask(
            [
                {
                    "id": "1",
                    "method": "GET",
                    "url": "/users/%s/messages/%s/$value" % (ANNA, quote(one["id"])),
                }
            ]
        )
        check("batch: $value raw on request", "\r\n" in raw.json["responses"][0]["body"])
        item = {"id": "1", "method": "GET", "url": "/users/" + ANNA}
        check("batch: duplicate ids", ask([item, item]).status == 400)
        check("batch: 21 items", ask([dict(item, id=str(i)) for i in range(21)]).status == 400)
        check("batch: 20 items", ask([dict(item, id=str(i)) for i in range(20)]).status == 200)
        check(
            "batch: bad JSON",
            sim.get("/$batch", {"Content-Type": "application/json"}, "POST", "{").status == 400,
        )
        check("batch: GET", sim.get("/$batch").status == 405)
        check(
            "batch: body without content type",
            ask([dict(item, method="POST", body={})]).status == 400,
        )
        check(
            "batch: no token",
            sim.request(
                "POST",
                "/v1.0/$batch",
                {"Content-Type": "application/json"},
                json.dumps({"requests": [item]}),
            ).status
            == 401,
        )
        chain = ask([dict(item, id="1", url="/users/nobody"), dict(item, id="2", dependsOn=["1"])])
        got = {r["id"]: r["status"] for r in chain.json["responses"]}
        check("batch: failed dependency is 424", got == {"1": 404, "2": 424}, got)
        inbox = [
            {"id": str(i), "method": "GET", "url": "/users/%s/mailFolders/inbox" % ANNA}
            for i in range(20)
        ]
        sim.control("settings", {"latency_ms": 60})
        begin = time.time()
        statuses = {r["status"] for r in ask(inbox).json["responses"]}
        spent = time.time() - begin
        check(
            "batch: four at a time, none throttled",
            statuses == {200} and 0.3 <= spent < 1.5,
            (statuses, spent),
        )
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            pair = list(pool.map(lambda _: ask(inbox).json["responses"], range(2)))
        throttled = [r for batch in pair for r in batch if r["status"] == 429]
        check(
            "batch: two at once are throttled item by item",
            throttled and any(k.lower() == "retry-after" for k in throttled[0]["headers"]),
        )
        sim.control("settings", {"window_requests": 10, "latency_ms": 0})
        sim.control("reset-limits")
        statuses = sorted(r["status"] for r in ask(inbox).json["responses"])
        check(
            "batch: items count against the window", statuses == [200] * 10 + [429] * 10, statuses
        )


# ------------------------------------------------------------------- control and transport


def test_control(binary):
    with Simulator(binary, "--messages", "10") as sim:
        mime = b"Subject: exact\r\n\r\nbytes \xff\x00\n"
        made = sim.control(
            "deliver",
            {
                "user": "anna.kos@contoso.example",
                "folder": "Inbox/Projects",
                "mime_base64": base64.b64encode(mime).decode(),
            },
        )["messages"][0]
        body = sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(made["id"]))).body
        check(
            "control: MIME as given",
            body == mime and made["sha256"] == hashlib.sha256(mime).hexdigest(),
        )
        sized = sim.control("deliver", {"user": ANNA, "size": 123457})["messages"][0]
        check(
            "control: exact size",
            sized["size"] == 123457
            and len(sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(sized["id"]))).body)
            == 123457,
        )
        with tempfile.NamedTemporaryFile(suffix=".eml") as file:
            file.write(mime)
            file.flush()
            made = sim.control("deliver", {"user": ANNA, "file": file.name})["messages"][0]
            check("control: file", made["source"] == file.name and made["size"] == len(mime))
        trash = sim.control("delete", {"user": ANNA, "message": sized["id"], "to_trash": True})
        check(
            "control: to trash",
            trash["folder"] == sim.folder("deleteditems") and not trash["deleted"],
        )
        bad = sim.request("POST", "/control/settings", {}, '{"nonsense":1}')
        check("control: unknown setting refused", bad.status == 400, bad)
        check(
            "control: unknown call refused",
            sim.request("POST", "/control/nonsense", {}, "{}").status == 400,
        )
        log = sim.control("log?since=0", method="GET")
        entry = [e for e in log["entries"] if e["route"] == "value"][0]
        check(
            "control: log entry",
            entry["status"] == 200
            and entry["user"] == "anna.kos@contoso.example"
            and entry["bytes"] == len(mime)
            and entry["method"] == "GET",
            entry,
        )
        later = sim.control("log?since=%d" % log["last"], method="GET")
        check("control: log since", later["entries"] == [])
        sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(made["id"])))
        one = sim.truth()["messages"][0]["id"]
        for _ in range(3):
            sim.get("/users/%s/messages/%s/$value" % (ANNA, quote(one)))
        metrics = sim.control("metrics", method="GET")
        check("control: repeated fetches", metrics["value_repeated"] == {one: 3}, metrics)
        sim.control("reset-metrics")
        check("control: reset", sim.control("metrics", method="GET")["requests"] == 0)
        sim.control("shutdown")
        check("control: shutdown", sim.process.wait(5) == 0)


def test_transport(binary):
    with tempfile.TemporaryDirectory() as folder:
        authority = os.path.join(folder, "ca.pem")
        with Simulator(binary, "--https", "0", "--write-ca", authority) as sim:
            context = ssl.create_default_context(cafile=authority)
            port = int(sim.ready["https"].rsplit(":", 1)[1])
            for host in ("127.0.0.1", "localhost"):
                connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
                connection.request("GET", "/v1.0/users")
                check("https: trusted for " + host, connection.getresponse().status == 401)
                connection.close()
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", "/")
                check("https: not trusted otherwise", False)
            except ssl.SSLError:
                check("https: not trusted otherwise", True)
            sim.login()
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
            connection.request(
                "GET",
                "/v1.0/users?$top=1&$select=id",
                headers={"Authorization": "Bearer " + sim.bearer},
            )
            link = json.loads(connection.getresponse().read())["@odata.nextLink"]
            check(
                "https: links keep the origin", link.startswith("https://127.0.0.1:%d/v1.0/" % port)
            )
            connection.close()
            # One connection carries many requests.
            connection = http.client.HTTPConnection(sim.host, sim.port, timeout=10)
            statuses = []
            for _ in range(50):
                connection.request(
                    "GET",
                    "/v1.0/users/%s" % ANNA,
                    headers={"Authorization": "Bearer " + sim.bearer},
                )
                reply = connection.getresponse()
                reply.read()
                statuses.append(reply.status)
            check("http: keep-alive", statuses == [200] * 50)
            connection.close()
            s = socket.create_connection((sim.host, sim.port), timeout=5)
            s.sendall(b"POST /v1.0/$batch HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n")
            check("http: more than 4 MB is 413", b" 413 " in s.recv(1000))
            s.close()
            s = socket.create_connection((sim.host, sim.port), timeout=5)
            s.sendall(b"nonsense\r\n\r\n")
            check("http: garbage is 400", b" 400 " in s.recv(1000))
            s.close()


class Listener:
    """An address for notifications, which answers as it is told."""

    def __init__(self):
        outer = self
        self.posts = []
        self.echo = True
        self.status = 202

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                token = query.get("validationToken", [""])[0]
                if token and outer.echo:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/plain")
                    self.end_headers()
                    self.wfile.write(token.encode())
                    return
                if not token:
                    outer.posts.append((self.path, json.loads(body)["value"]))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook?key=1" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        deadline = time.monotonic() + 20
        while len(self.posts) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(self.posts) == count


def test_subscriptions(binary):
    with Simulator(binary, "--users", "2", "--messages", "3") as sim:
        hook = Listener()

        def body(**changes):
            later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
            return {
                "changeType": "created",
                "notificationUrl": hook.url,
                "lifecycleNotificationUrl": hook.url,
                "resource": "/users/%s/messages" % ANNA,
                "expirationDateTime": later,
                "clientState": "state",
                **changes,
            }

        def refused(name, status, code, **changes):
            answer = sim.post("/subscriptions", body(**changes))
            check("subscriptions: " + name, (answer.status, answer.code) == (status, code), answer)

        refused("only https", 400, "InvalidRequest")
        sim.control("settings", {"subscription_http": True})
        refused("a kind of change", 400, "InvalidRequest", changeType="moved")
        refused("no whole tenant", 400, "InvalidRequest", resource="/users")
        refused("no mailbox", 404, "ExtensionError", resource="/users/nobody/messages")
        refused("not for ever", 400, "InvalidRequest", expirationDateTime="2099-01-01T00:00:00Z")
        refused("not in the past", 400, "InvalidRequest", expirationDateTime="2020-01-01T00:00:00Z")
        refused("a short state", 400, "InvalidRequest", clientState="x" * 129)
        refused("nobody there", 400, "ValidationError", notificationUrl="https://a.example/")
        hook.echo = False
        refused("another answer", 400, "ValidationError")
        hook.echo = True
        made = sim.post("/subscriptions", body())
        check("subscriptions: created", made.status == 201, made)
        refused("one of a kind", 409, "Conflict")
        there = "/subscriptions/" + made.json["id"]
        check("subscriptions: one shows its state", sim.get(there).json["clientState"] == "state")
        listed = sim.get("/subscriptions").json["value"]
        check(
            "subscriptions: a list does not",
            [s["clientState"] for s in listed] == [None] and listed[0]["id"] == made.json["id"],
        )
        message = sim.control("deliver", {"user": ANNA})["messages"][0]
        check("subscriptions: mail is told of", hook.wait(1))
        path, (told,) = hook.posts[0]
        check(
            "subscriptions: what is told",
            path == "/hook?key=1"
            and told["clientState"] == "state"
            and told["subscriptionId"] == made.json["id"]
            and told["resourceData"]["id"] == message["id"]
            and told["changeType"] == "created",
            told,
        )
        sim.control("touch", {"user": ANNA, "message": message["id"]})
        sim.control("delete", {"user": ANNA, "message": message["id"]})
        hook.status = 503
        sim.control("deliver", {"user": ANNA})
        check("subscriptions: told again until it is taken", hook.wait(3))
        check(
            "subscriptions: nothing else is told",
            {n[0]["changeType"] for _, n in hook.posts} == {"created"},
        )
        hook.status = 202
        sim.control("subscriptions", {"op": "tell", "subscription": made.json["id"], "event": "missed"})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and "lifecycleEvent" not in hook.posts[-1][1][0]:
            time.sleep(0.02)
        check("subscriptions: lifecycle", hook.posts[-1][1][0].get("lifecycleEvent") == "missed")
        sim.control("settings", {"subscription_life_ms": 300})
        expiry = json.dumps({"expirationDateTime": body()["expirationDateTime"]})
        as_json = {"Content-Type": "application/json"}
        check("subscriptions: renewed", sim.get(there, as_json, "PATCH", expiry).status == 200)
        time.sleep(0.5)
        gone = sim.get(there, as_json, "PATCH", expiry)
        check(
            "subscriptions: expired", (gone.status, gone.code) == (404, "ResourceNotFound"), gone
        )
        sim.control("settings", {"subscription_life_ms": 0})
        made = sim.post("/subscriptions", body(changeType="updated,deleted"))
        answer = sim.get("/subscriptions/" + made.json["id"], method="DELETE")
        check("subscriptions: ended", (answer.status, answer.body) == (204, b""), answer)
        check("subscriptions: none", sim.get("/subscriptions").json["value"] == [])
        hook.server.shutdown()


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    binary, wanted = sys.argv[1], sys.argv[2:]
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (wanted and not any(w in name for w in wanted)):
            continue
        try:
            test(binary)
        except Exception as problem:  # one broken test must not hide the others
            check(name + " ran to its end", False, repr(problem))
    print("%d checks passed, %d failed" % (passed, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
