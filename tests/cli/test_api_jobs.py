import io
import mailbox
import unittest
import zipfile

from test_api import ApiTest


class Jobs(ApiTest):
    def setUp(self):
        super().setUp()
        self.auditor = self.credential("auditor")

    def begin(self, path, body, secret, status=202):
        answer = self.call("POST", "/api/v1" + path, secret, body)
        self.assertEqual(answer.status, status, answer.bytes)
        self.check_shape("post", path, answer)
        return answer.document.get("id")

    def ended(self, job, secret):
        return self.wait_for(lambda: (lambda d: d if d["status"] != "running" else None)(
            self.get(f"/jobs/{job}", secret).document), "the job ends", self.services[-1])

    def files(self, job, secret):
        answer = self.call("GET", f"/api/v1/jobs/{job}/file", secret)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/zip"))
        archive = zipfile.ZipFile(io.BytesIO(answer.bytes))
        self.assertIsNone(archive.testzip())
        return archive

    def test_an_export_is_a_zip_file_with_manifest_and_exact_bytes(self):
        self.serve()
        job = self.begin("/exports", {"format": "eml"}, self.auditor)
        done = self.ended(job, self.auditor)
        self.assertEqual((done["status"], done["kind"], done["by"]), ("done", "export", "api:auditor-0"))
        self.assertEqual((done["result"]["items"], done["result"]["exceptions"]), (3, 0))
        archive = self.files(job, self.auditor)
        self.assertLessEqual({"manifest.jsonl", "export.json"}, set(archive.namelist()))
        mails = {archive.read(name) for name in archive.namelist() if name.endswith(".eml")}
        self.assertEqual(mails, {file.read_bytes() for file in self.mail.glob("*.eml")})
        self.assertEqual(self.call("DELETE", f"/api/v1/jobs/{job}", self.auditor).status, 200)
        self.get(f"/jobs/{job}", self.auditor, 404)
        self.assertEqual(list((self.folder / "catalog" / "exports").glob("*")), [])

    def test_a_search_is_exported(self):
        self.serve()
        self.wait_for(lambda: self.get("/search?q=sekrit", self.auditor).document["summary"]["coverage"]
                      ["not_yet_indexed"] == 0, "the index is full")
        job = self.begin("/exports", {"q": "subject:mail-1", "format": "mbox"}, self.auditor)
        done = self.ended(job, self.auditor)
        self.assertEqual((done["result"]["items"], done["result"]["coverage"]["not_yet_indexed"]), (1, 0))
        archive = self.files(job, self.auditor)
        name = next(name for name in archive.namelist() if name.endswith(".mbox"))
        archive.extract(name, self.folder)
        self.assertEqual([m["Subject"] for m in mailbox.mbox(self.folder / name)], ["mail-1"])
        job = self.begin("/exports", {"q": "\"unclosed", "format": "mbox"}, self.auditor)
        self.assertEqual(self.ended(job, self.auditor)["error"]["code"], "invalid_argument")
        self.assertEqual(self.call("GET", f"/api/v1/jobs/{job}/file", self.auditor).status, 404)
        self.begin("/exports", {"format": "pst"}, self.auditor, 422)

    def test_an_account_holder_exports_the_own_accounts_and_sees_the_own_jobs(self):
        other = self.folder / "mail" / "bob"
        self.add_mail("of-bob", folder=other)
        source = self.mailfiles_source()
        source["config"]["paths"] = [str(self.mail), str(other)]
        self.write_profile(source)
        self.set_service({"listen": f"127.0.0.1:{self.port}"})
        self.sync()
        accounts = self.run_ok("accounts", "--json").document["accounts"]
        bob = next(a for a in accounts if a["items"] == 1)
        ada = next(a for a in accounts if a["items"] == 3)
        holder, operator = self.credential("account_holder", bob["id"]), self.credential("operator")
        self.serve()
        for body in ({}, {"accounts": [ada["id"]]}, {"accounts": [ada["id"], bob["id"]]}):
            job = self.begin("/exports", {"format": "eml", **body}, holder)
            self.assertEqual(self.ended(job, holder)["result"]["items"], 1, body)
            self.assertEqual(self.call("DELETE", f"/api/v1/jobs/{job}", holder).status, 200)
        of_auditor = self.begin("/exports", {"format": "eml"}, self.auditor)
        self.ended(of_auditor, self.auditor)
        for secret in (holder, operator):
            self.get(f"/jobs/{of_auditor}", secret, 404)
            self.assertEqual(self.get("/jobs", secret).document["jobs"], [])
        self.assertEqual(self.call("GET", f"/api/v1/jobs/{of_auditor}/file", holder).status, 404)
        self.begin("/exports", {"format": "eml"}, operator, 403)

    def test_a_verification(self):
        operator = self.credential("operator")
        self.serve()
        job = self.begin("/verifications", {}, operator)
        done = self.ended(job, operator)
        self.assertEqual(done["status"], "done", done)
        self.assertFalse(done["result"]["damaged"])
        self.assertEqual(self.get(f"/jobs/{job}", self.auditor).document, done)
        packs = [p for p in (self.folder / "archive").rglob("*") if p.is_file() and "packs" in p.parts]
        bytes_of = bytearray(packs[0].read_bytes())
        bytes_of[len(bytes_of) // 2] ^= 1
        packs[0].chmod(0o600)
        packs[0].write_bytes(bytes_of)
        job = self.begin("/verifications", {"quick": False}, operator)
        self.assertTrue(self.ended(job, operator)["result"]["damaged"])
        self.begin("/verifications", {}, self.auditor, 403)


if __name__ == "__main__":
    unittest.main()
