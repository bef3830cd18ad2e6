"""Signing in: certificates, federated tokens, a proxy, and what is said when they don't work."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import unittest

from harness import (CLIENT, Archive, ArchiverTest, Simulator, graph_config,
                     running, wait_until)

ISSUER = "https://issuer.example"


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                          **options).stdout


class ClientCertificate:
    """An RSA key with a self-signed certificate, in all the forms that a profile takes."""

    def __init__(self, folder, name="client", days=90, key=("rsa:2048",)):
        self.key = folder / f"{name}.key"
        self.certificate = folder / f"{name}.crt"
        self.pem = folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout", self.key, "-out",
                self.certificate, "-days", days, "-subj", f"/CN={name}")
        self.pem.write_text(self.key.read_text() + self.certificate.read_text())
        self.pem.chmod(0o600)

    def pkcs12(self, password):
        path = self.pem.with_suffix(".pfx")
        openssl("pkcs12", "-export", "-inkey", self.key, "-in", self.certificate, "-out", path,
                "-passout", f"pass:{password}")
        return path

    def expired(self):
        """The same key with a certificate whose time is over."""
        folder = self.pem.parent / f"{self.pem.stem}-ca"
        folder.mkdir()
        request, certificate = folder / "request", folder / "certificate"
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=expired", "-out", request)
        (folder / "index.txt").touch()
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndir=.\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        openssl("ca", "-selfsign", "-batch", "-config", "ca.cnf", "-keyfile", self.key, "-in",
                request, "-out", certificate, "-notext", "-startdate", "20200101000000Z",
                "-enddate", "20210101000000Z", cwd=folder)
        pem = folder / "expired.pem"
        pem.write_text(self.key.read_text() + certificate.read_text())
        return pem

    def token(self, **changes):
        """A token that an issuer with this key signs."""
        def encode(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "machine:1", "aud": "api://AzureADTokenExchange",
                  "iat": now, "nbf": now - 5, "exp": now + 600}
        claims.update(changes)
        text = encode(b'{"alg":"RS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
        signature = openssl("dgst", "-sha256", "-sign", self.key, input=text)
        return (text + b"." + encode(signature)).decode()


class Proxy:
    """tinyproxy on a loopback port; a context manager."""

    def __init__(self, folder, *lines):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "proxy.log"
        configuration = folder / "tinyproxy.conf"
        configuration.write_text("\n".join([
            f"Port {self.port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 100",
            f'LogFile "{self.log}"', "LogLevel Connect", *lines]) + "\n")
        self.process = subprocess.Popen(["tinyproxy", "-d", "-c", str(configuration)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.listens, 20, "the proxy")

    def listens(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


class AuthTest(ArchiverTest):
    def site(self, simulator, name="site", **changes):
        """An archive of a source with another credential than the client secret."""
        config = graph_config(simulator, **changes)
        del config["client_secret"]
        return Archive(self.folder / name, config)

    def checks(self, archive, expect):
        document = archive.json("source", "check", "contoso", expect=expect)
        self.assertEqual(document["passed"], expect == 0)
        for check in document["checks"]:
            if check["outcome"] == "fail":
                self.assertTrue(check["detail"], check)
                self.assertTrue(check["remedy"], check)
        return {check["name"]: check for check in document["checks"]}

    def assert_check(self, checks, name, outcome, *words):
        self.assertEqual(checks[name]["outcome"], outcome, checks[name])
        for word in words:
            self.assertIn(word, checks[name]["detail"] + " " + checks[name]["remedy"])


class CertificateTest(AuthTest):
    def test_every_form_of_a_certificate_signs_in(self):
        own = ClientCertificate(self.folder)
        password = self.folder / "password"
        password.write_text("pass word\n")
        password.chmod(0o600)
        encrypted = self.folder / "encrypted.pem"
        encrypted.write_bytes(
            openssl("pkcs8", "-topk8", "-in", own.key, "-passout", "pass:pass word")
            + own.certificate.read_bytes())
        forms = {
            "pem": {"file": str(own.pem)},
            "rs256": {"file": str(own.pem), "algorithm": "RS256"},
            "pkcs12": {"file": str(own.pkcs12("pass word")), "password": {"file": str(password)}},
            "encrypted": {"file": str(encrypted), "password": {"file": str(password)}},
        }
        with Simulator("--users", 1, "--messages", 3, "--client-cert",
                       own.certificate) as simulator:
            for name, certificate in forms.items():
                with self.subTest(name):
                    archive = self.site(simulator, name, certificate=certificate)
                    self.assertGreater(archive.sync()["items"]["new"], 0)
                    self.assert_archived(simulator, archive)
            checks = self.checks(self.site(simulator, "checked", certificate=forms["pem"]), 0)
            self.assert_check(checks, "credential readable", "pass", "thumbprint")
            self.assert_check(checks, "credential expiry", "pass", "the certificate expires on")

    def test_a_certificate_that_does_not_work_says_why(self):
        own = ClientCertificate(self.folder)
        other = ClientCertificate(self.folder, "other")
        curve = ClientCertificate(self.folder, "curve",
                                  key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"))
        mixed = self.folder / "mixed.pem"
        mixed.write_text(own.key.read_text() + other.certificate.read_text())
        nonsense = self.folder / "nonsense.pem"
        nonsense.write_text("nothing of use")
        pfx = str(own.pkcs12("right"))
        # As programs of before OpenSSL 3 wrote it.
        outdated = self.folder / "outdated.pfx"
        openssl("pkcs12", "-export", "-legacy", "-inkey", own.key, "-in", own.certificate, "-out",
                outdated, "-passout", "pass:right")
        unreadable = "credential readable", "fail", 2
        cases = [
            ({"file": str(mixed)}, *unreadable, "do not belong together"),
            ({"file": str(own.certificate)}, *unreadable, "no private key"),
            ({"file": str(own.key)}, *unreadable, "no certificate"),
            ({"file": str(curve.pem)}, *unreadable, "not RSA"),
            ({"file": str(nonsense)}, *unreadable, "neither PEM nor PKCS#12"),
            ({"file": pfx, "password": "wrong"}, *unreadable, "password is wrong"),
            ({"file": pfx}, *unreadable, "set certificate.password"),
            ({"file": str(outdated), "password": "right"}, *unreadable, "openssl pkcs12 -legacy"),
            ({"file": "absent.pem"}, *unreadable, "does not exist"),
            ({"file": str(self.folder)}, *unreadable, "not a file"),
            ({"file": str(own.expired())}, "token obtained", "fail", 3, "has expired"),
            ({"file": str(other.pem)}, "token obtained", "fail", 3, "AADSTS700027"),
        ]
        with Simulator("--users", 1, "--messages", 1, "--client-cert",
                       own.certificate) as simulator:
            for index, (certificate, name, outcome, code, word) in enumerate(cases):
                with self.subTest(word):
                    archive = self.site(simulator, str(index), certificate=certificate)
                    checks = self.checks(archive, code)
                    self.assert_check(checks, "endpoint reachable", "pass")
                    found = checks[name]
                    self.assertEqual(found["outcome"], outcome)
                    done = archive.run("sync", expect=code)
                    self.assertIn(word.removeprefix("AADSTS"),
                                  json.dumps(found) + done.stderr.decode())
                    self.assertNotIn(b"PRIVATE KEY", done.stderr + done.stdout)
            self.assertEqual({e["status"] for e in simulator.requests("token")}, {401})

    def test_a_certificate_renewed_in_its_place_counts_at_the_next_token(self):
        first, second = (ClientCertificate(self.folder, name) for name in ("first", "second"))
        used = self.folder / "used.pem"
        shutil.copy(first.pem, used)
        with Simulator("--users", 1, "--messages", 2, "--client-cert",
                       first.certificate) as simulator:
            archive = self.site(simulator, certificate={"file": str(used)})
            archive.profile["sources"][0]["schedule"]["every"] = "1s"
            archive.write_profile()
            with running(archive.start("serve", stderr=subprocess.DEVNULL)) as service:
                wait_until(lambda: self.good_run(archive), 120, "a first run")
                shutil.copy(second.pem, used)
                simulator.control("credentials", {"client_cert": str(second.certificate)})
                simulator.control("expire-tokens", {})
                before = self.good_run(archive)
                wait_until(lambda: self.good_run(archive) > before, 120, "a run after the renewal")
                self.assertEqual(archive.json("status")["sources"][0]["status"], "active")
                service.terminate()
                self.assertEqual(service.wait(60), 0)

    def good_run(self, archive):
        return archive.json("source", "list")["sources"][0]["good_run_at"] or ""


class FederationTest(AuthTest):
    def simulator(self, issuer):
        return Simulator("--users", 1, "--messages", 2, "--federated-issuer", ISSUER,
                         "--federated-subject", "machine:1", "--federated-cert",
                         issuer.certificate)

    def test_the_token_is_read_anew_for_each_request(self):
        issuer = ClientCertificate(self.folder, "issuer")
        file = self.folder / "token"
        file.write_text(issuer.token() + "\n")
        with self.simulator(issuer) as simulator:
            archive = self.site(simulator, federated_token_file=str(file))
            checks = self.checks(archive, 0)
            self.assert_check(checks, "credential readable", "pass", ISSUER, "machine:1")
            self.assert_check(checks, "credential expiry", "unknown")
            archive.profile["sources"][0]["schedule"]["every"] = "1s"
            archive.write_profile()
            with running(archive.start("serve", stderr=subprocess.DEVNULL)) as service:
                runs = lambda: archive.json("source", "list")["sources"][0]["good_run_at"] or ""
                wait_until(runs, 120, "a first run")
                # From here on only the rotated token is accepted.
                file.write_text(issuer.token(sub="machine:2"))
                simulator.control("credentials", {"federated_subject": "machine:2"})
                simulator.control("expire-tokens", {})
                before = runs()
                wait_until(lambda: runs() > before, 120, "a run with the rotated token")
                self.assertEqual(archive.json("status")["sources"][0]["status"], "active")
                service.terminate()
                self.assertEqual(service.wait(60), 0)
            self.assert_archived(simulator, archive)

    def test_a_token_that_does_not_match_is_shown(self):
        issuer = ClientCertificate(self.folder, "issuer")
        other = ClientCertificate(self.folder, "other")
        file = self.folder / "token"
        cases = [
            (issuer.token(iss="https://elsewhere.example"), 3, "700211", "https://elsewhere.example"),
            (issuer.token(aud="api://another"), 3, "700212", "api://another"),
            (issuer.token(sub="machine:9"), 3, "700213", "machine:9"),
            (other.token(), 3, "700027", "machine:1"),
            (issuer.token(exp=int(time.time()) - 100), 3, "expired", "does not renew"),
        ]
        with self.simulator(issuer) as simulator:
            archive = self.site(simulator, federated_token_file=str(file))
            for token, code, word, shown in cases:
                with self.subTest(word):
                    file.write_text(token)
                    checks = self.checks(archive, code)
                    self.assert_check(checks, "token obtained", "fail", word, shown)
                    done = archive.run("sync", expect=code)
                    self.assertIn(shown, (done.stdout + done.stderr).decode())
                    self.assertNotIn(token, (done.stderr + done.stdout).decode())
            for content, word in [("not a token", "does not hold a token"), ("", "is empty")]:
                with self.subTest(word):
                    file.write_text(content)
                    self.assert_check(self.checks(archive, 2), "credential readable", "fail", word)
            file.unlink()
            self.assert_check(self.checks(archive, 2), "credential readable", "fail",
                              "does not exist")


class ProxyTest(AuthTest):
    def setUp(self):
        super().setUp()
        self.ca = self.folder / "ca.pem"

    def tenant(self):
        return Simulator("--users", 2, "--messages", 5, "--https", 0, "--write-ca", self.ca)

    def through(self, simulator, name, proxy, **changes):
        config = graph_config(simulator, authority_url=simulator.https, graph_url=simulator.https,
                              ca_file=str(self.ca), proxy=proxy, **changes)
        return Archive(self.folder / name, config)

    def test_everything_goes_through_the_proxy(self):
        with self.tenant() as simulator, \
                Proxy(self.folder, "BasicAuth archive s3cret-Pass", "Allow 127.0.0.1") as proxy:
            password = self.folder / "proxy-password"
            password.write_text("s3cret-Pass\n")
            password.chmod(0o600)
            archive = self.through(simulator, "good", proxy.url, proxy_user="archive",
                                   proxy_password={"file": str(password)})
            checks = self.checks(archive, 0)
            self.assert_check(checks, "proxy usable", "pass", proxy.url)
            self.assert_check(checks, "TLS trusted", "pass")
            archive.sync()
            self.assert_archived(simulator, archive)
            log = proxy.log.read_text()
            port = simulator.https.rsplit(":", 1)[1]
            self.assertIn(f"CONNECT 127.0.0.1:{port} HTTP/1.1", log)
            self.assertNotIn("Bearer", log)
            self.assertNotIn("/v1.0/", log)

    def test_the_faults_of_a_proxy_are_named_as_its_own(self):
        with self.tenant() as simulator:
            def refused(name, proxy, *words, **changes):
                with self.subTest(name):
                    archive = self.through(simulator, name, proxy, **changes)
                    checks = self.checks(archive, 7)
                    self.assert_check(checks, "proxy usable", "fail", "proxy", *words)
                    self.assert_check(checks, "endpoint reachable", "unknown")
                    self.assert_check(checks, "token obtained", "fail", "proxy")
                    done = archive.run("sync", expect=7)
                    self.assertIn("the proxy", (done.stdout + done.stderr).decode())
                    self.assertNotIn(b"guess", done.stderr + done.stdout)

            with Proxy(self.folder, "BasicAuth archive s3cret-Pass") as proxy:
                refused("anonymous", proxy.url, "407", "set proxy_user")
                refused("wrong", proxy.url, "refuses the user or the password",
                        proxy_user="archive", proxy_password="guess")
            with Proxy(self.folder, "ConnectPort 443") as proxy:
                refused("port", proxy.url, "403", "refuses to connect")
                gone = proxy.url
            refused("gone", gone, "can't be reached")
            refused("nobody", "http://proxy.invalid:3128", "proxy.invalid")
            # Something that is no proxy at all.
            refused("other", simulator.url, "proxy")
            self.assertEqual(simulator.requests("users"), [])

    def test_a_mistyped_proxy_is_refused_before_anything_starts(self):
        with self.tenant() as simulator:
            for name, proxy, word in [
                    ("tls", "https://proxy.example:3128", "plain"),
                    ("user", "http://me:secret@proxy.example:3128", "proxy_user"),
                    ("path", "http://proxy.example:3128/path", "http://host:port")]:
                with self.subTest(name):
                    done = self.through(simulator, name, proxy).run("sync", expect=2)
                    self.assertIn(word, done.stderr.decode())
                    self.assertNotIn(b"me:secret", done.stderr + done.stdout)


class CheckTest(AuthTest):
    def test_each_failure_has_a_name_and_a_remedy(self):
        with Simulator("--users", 2, "--messages", 2, "--https", 0, "--write-ca",
                       self.folder / "ca.pem") as simulator:
            archive = self.archive(simulator, "plain")
            checks = self.checks(archive, 0)
            self.assertEqual(list(checks), [
                "endpoint reachable", "TLS trusted", "clock skew", "credential readable",
                "token obtained", "Mail.Read consented", "User.Read.All consented",
                "users listable", "mailbox readable", "credential expiry"])
            self.assert_check(checks, "credential expiry", "unknown", "client_secret_expires")

            for code in (7000215, 7000222, 700016, 90002, 53003, 7000112, 500011):
                with self.subTest(code):
                    simulator.control("settings", {"token_error": code})
                    checks = self.checks(archive, 3)
                    self.assert_check(checks, "token obtained", "fail", f"AADSTS{code}")
                    self.assert_check(checks, "endpoint reachable", "pass")
                    self.assert_check(checks, "mailbox readable", "unknown")
            simulator.control("settings", {"token_error": 90033})
            self.assert_check(self.checks(archive, 7), "token obtained", "fail", "AADSTS90033")
            simulator.control("settings", {"token_error": 0, "roles": []})
            checks = self.checks(archive, 3)
            for permission, role in [("Mail.Read", "810c84a8-4a9e-49e6-bf7d-12d183f40d01"),
                                     ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214")]:
                self.assertIn(role, checks[f"{permission} consented"]["remedy"])
                self.assertIn(f"az ad app permission add --id {CLIENT}",
                              checks[f"{permission} consented"]["remedy"])
            self.assert_check(checks, "users listable", "fail", "admin-consent")
            # RBAC for Applications: the mailbox opens although the token does not tell.
            simulator.control("settings", {"roles": ["User.Read.All"]})
            checks = self.checks(archive, 3)
            self.assert_check(checks, "Mail.Read consented", "fail")
            self.assert_check(checks, "mailbox readable", "fail", "Mail.Read")

            untrusted = graph_config(simulator, authority_url=simulator.https,
                                     graph_url=simulator.https)
            checks = self.checks(Archive(self.folder / "tls", untrusted), 7)
            self.assert_check(checks, "TLS trusted", "fail", "ca_file")
            nobody = graph_config(simulator, authority_url="http://127.0.0.1:9",
                                  graph_url="http://127.0.0.1:9")
            checks = self.checks(Archive(self.folder / "nobody", nobody), 7)
            self.assert_check(checks, "endpoint reachable", "fail", "can't be reached")

            # A portal of the network that answers in the service's place.
            simulator.control("settings", {"roles": ["Mail.Read", "User.Read.All"]})
            simulator.control("faults", {"match": {"route": "discovery"},
                                         "action": {"status": 200, "html": True}})
            checks = self.checks(archive, 7)
            self.assert_check(checks, "endpoint reachable", "fail", "portal")
            simulator.control("faults", method="DELETE")
            simulator.control("faults", {"match": {"route": "any"}, "action": {
                "headers": {"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}}})
            checks = self.checks(archive, 7)
            self.assert_check(checks, "clock skew", "fail", "NTP")

    def test_a_credential_that_expires_is_announced(self):
        with Simulator("--users", 1, "--messages", 1) as simulator:
            def status(days, expect=0):
                day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86400))
                archive = self.archive(simulator, f"in{days}", client_secret_expires=day)
                done = archive.run("sync", expect=expect)
                source = archive.json("source", "list")["sources"][0]
                self.assertEqual(source["credentials_expire_at"], day + "T23:59:59.000Z")
                self.assertEqual(archive.json("status")["sources"][0]["reason"], source["reason"])
                return source, done.stderr.decode(), archive

            source, log, _ = status(40)
            self.assertEqual((source["status"], source["reason"]), ("active", ""))
            self.assertNotIn("credential expires", log)
            source, log, archive = status(20)
            self.assertEqual(source["status"], "active")
            self.assertIn("expires in 20 days", source["reason"])
            self.assertIn("credential expires", log)
            self.assertIn("expires in 20 days", archive.run("status").stdout.decode())
            source, log, archive = status(-2)
            self.assertEqual(source["status"], "attention")
            self.assertIn("expired", source["reason"])
            self.assertIn("expired", log)
            self.assert_check(self.checks(archive, 3), "credential expiry", "fail", "new secret")


if __name__ == "__main__":
    unittest.main()
