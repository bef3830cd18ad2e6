"""docs/register-application.sh against a stand-in for the Azure CLI, which is Microsoft's cloud."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "register-application.sh"

# Keeps what was registered in a JSON file and knows exactly the commands that the script gives.
AZ = r'''#!/usr/bin/python3
import json, os, pathlib, sys

file = pathlib.Path(os.environ["STAND_IN"])
world = json.loads(file.read_text())
arguments = sys.argv[1:]
words = []
while arguments and not arguments[0].startswith("--"):
    words.append(arguments.pop(0))
options = {}
while arguments:
    name = arguments.pop(0)
    options[name] = arguments.pop(0) if arguments and not arguments[0].startswith("--") else True
command = " ".join(words)
world["calls"].append(command)

def fail(text):
    file.write_text(json.dumps(world))
    sys.exit("ERROR: " + text)

def application():
    if options["--id"] != "11111111-2222-4333-8444-555555555555" or not world["name"]:
        fail("no such application")

if command in world["refused"]:
    fail("Insufficient privileges to complete the operation.")
if command == "account show":
    if not world["tenant"]:
        fail("Please run 'az login' to setup account.")
    print(world["tenant"])
elif command == "ad app list":
    if world["name"] and options["--filter"] == "displayName eq '%s'" % world["name"]:
        print("11111111-2222-4333-8444-555555555555")
elif command == "ad app create":
    assert options["--sign-in-audience"] == "AzureADMyOrg"
    world["name"] = options["--display-name"]
    print("11111111-2222-4333-8444-555555555555")
elif command == "ad sp show":
    if not world["principal"]:
        fail("no such service principal")
elif command == "ad sp create":
    world["principal"] = True
elif command == "ad app show":
    application()
    print("\n".join(world["permissions"]))
elif command == "ad app permission add":
    application()
    assert options["--api"] == "00000003-0000-0000-c000-000000000000"
    role, kind = options["--api-permissions"].split("=")
    assert kind == "Role"
    world["permissions"].append(role)
elif command == "ad app permission admin-consent":
    application()
    world["consented"] = list(world["permissions"])
elif command == "ad app credential list":
    application()
    print("\n".join(world["certificates"]))
elif command == "ad app credential reset":
    application()
    assert options["--append"] is True
    if "--cert" in options:
        pem = pathlib.Path(options["--cert"].removeprefix("@")).read_text()
        assert "PRIVATE KEY" not in pem
        import hashlib, ssl
        der = ssl.PEM_cert_to_DER_cert(pem)
        world["certificates"].append(hashlib.sha1(der).hexdigest().upper())
    else:
        world["secrets"] += 1
        print("value~of-secret-%d" % world["secrets"])
else:
    fail("unknown command " + command)
file.write_text(json.dumps(world))
'''


class RegisterApplicationTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="openarchiver-register-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        az = self.programs / "az"
        az.write_text(AZ)
        az.chmod(0o755)
        self.file = self.folder / "world.json"
        self.change(tenant="6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f", name="", principal=False,
                    permissions=[], consented=[], certificates=[], secrets=0, refused=[], calls=[])

    def change(self, **values):
        world = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.file.write_text(json.dumps(world | values))

    def world(self):
        return json.loads(self.file.read_text())

    def register(self, *arguments, expect=0, path=None):
        environment = dict(os.environ, STAND_IN=str(self.file),
                           PATH=path or f"{self.programs}:{os.environ['PATH']}")
        done = subprocess.run(["/bin/bash", str(SCRIPT), *arguments], env=environment,
                              cwd=self.folder, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def values(self, done):
        return json.loads("{" + done.stdout + "}")

    def test_a_secret(self):
        done = self.register()
        values = self.values(done)
        self.assertEqual(values["tenant_id"], "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f")
        self.assertEqual(values["client_id"], "11111111-2222-4333-8444-555555555555")
        secret = self.folder / values["client_secret"]["file"]
        self.assertEqual(secret.read_text().strip(), "value~of-secret-1")
        self.assertEqual(secret.stat().st_mode & 0o777, 0o600)
        self.assertRegex(values["client_secret_expires"], r"^\d{4}-\d\d-\d\d$")
        self.assertNotIn("value~of-secret", done.stdout + done.stderr)
        world = self.world()
        self.assertEqual(sorted(world["consented"]), ["810c84a8-4a9e-49e6-bf7d-12d183f40d01",
                                                      "df021288-bdef-4463-88db-98f22de89214"])

    def test_once_more_changes_nothing(self):
        first = self.register()
        before = self.world()
        again = self.register()
        after = self.world()
        self.assertEqual({k: v for k, v in before.items() if k != "calls"},
                         {k: v for k, v in after.items() if k != "calls"})
        self.assertEqual(self.values(first)["client_id"], self.values(again)["client_id"])
        self.assertEqual(after["calls"].count("ad app create"), 1)
        self.assertEqual(after["calls"].count("ad app permission add"), 2)

    def test_a_certificate(self):
        done = self.register("--name", "Mail archive", "--certificate", "client.pem")
        self.assertEqual(self.values(done)["certificate"], {"file": "client.pem"})
        pem = self.folder / "client.pem"
        self.assertEqual(pem.stat().st_mode & 0o777, 0o600)
        self.assertIn("PRIVATE KEY", pem.read_text())
        self.register("--name", "Mail archive", "--certificate", "client.pem")
        world = self.world()
        self.assertEqual(len(world["certificates"]), 1)
        self.assertEqual(world["secrets"], 0)
        self.assertEqual(world["name"], "Mail archive")

    def test_what_is_missing_is_said(self):
        bare = self.folder / "bare"
        bare.mkdir()
        for name in ("bash", "sed", "date"):
            (bare / name).symlink_to(shutil.which(name))
        self.assertIn("az) is missing", self.register(expect=1, path=str(bare)).stderr)
        self.change(tenant="")
        self.assertIn("az login", self.register(expect=1).stderr)
        self.change(tenant="t", refused=["ad app create"])
        self.assertIn("Application Administrator", self.register(expect=1).stderr)
        self.change(refused=["ad app credential reset"])
        self.assertIn("--certificate", self.register(expect=1).stderr)
        self.assertFalse((self.folder / "m365-secret").exists())
        self.assertIn("unknown option", self.register("--nam", "x", expect=1).stderr)
        self.assertIn("--certificate FILE", self.register("--help").stdout)

    def test_without_the_role_for_consent_the_rest_is_done(self):
        self.change(refused=["ad app permission admin-consent"])
        done = self.register(expect=3)
        self.assertIn("Privileged Role Administrator", done.stderr)
        self.assertIn("admin-consent --id 11111111-2222-4333-8444-555555555555", done.stderr)
        self.assertIn("client_id", self.values(done))
        self.change(refused=[])
        self.register()
        self.assertEqual(len(self.world()["consented"]), 2)


if __name__ == "__main__":
    unittest.main()
