import base64
import unittest
from urllib.parse import unquote

import test_api

PDF = bytes(range(256)) * 40


def message(*parts, subject="with attachments", charset="utf-8"):
    lines = ["From: ada@example.org", "To: bob@example.org", f"Subject: {subject}",
             f"Message-ID: <{abs(hash((subject, parts)))}@example.org>", "MIME-Version: 1.0",
             'Content-Type: multipart/mixed; boundary="b"', "", "--b",
             f"Content-Type: text/plain; charset={charset}", "", "The text."]
    for part in parts:
        lines += ["--b", *part]
    return "\r\n".join([*lines, "--b--", ""]).encode()


def part(disposition, data=b"data", media_type="application/octet-stream", *fields):
    return (f"Content-Type: {media_type}", f"Content-Disposition: {disposition}", *fields,
            "Content-Transfer-Encoding: base64", "", base64.encodebytes(data).decode().strip()
            .replace("\n", "\r\n"))


class AttachmentsTest(test_api.ApiTest):
    def archive(self, name, content):
        """The ref of the only item that has it."""
        (self.mail / f"{name}.eml").write_bytes(content)
        before = {i["ref"] for i in self.items()}
        self.run_ok("sync")
        return next(i["ref"] for i in self.items() if i["ref"] not in before)

    def items(self):
        return self.get("/items?limit=1000", self.auditor).document["items"]

    def setUp(self):
        super().setUp()
        self.auditor = self.credential("auditor")
        self.serve()

    def attachments(self, ref):
        shown = self.get(f"/items/{ref}/attachments", self.auditor).document
        self.assertTrue(shown["complete"])
        return shown["attachments"]

    def take(self, ref, number, status=200, credential=None):
        response = self.call("GET", f"/api/v1/items/{ref}/attachments/{number}",
                             credential or self.auditor)
        self.assertEqual(response.status, status, response.bytes)
        return response


class Attachments(AttachmentsTest):
    def test_are_listed_and_taken_one_by_one(self):
        inner = (b"From: carl@example.org\r\nTo: dora@example.org\r\nSubject: within\r\n"
                 b"X-Odd:   kept  as it is\r\nMIME-Version: 1.0\r\n"
                 b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n"
                 b"Content-Type: text/plain\r\n\r\nhello\r\n--c\r\n"
                 b"Content-Type: application/pdf; name=deep.pdf\r\n\r\ndeep\r\n--c--\r\n")
        ref = self.archive("many", message(
            part('attachment; filename="report.pdf"', PDF, "application/pdf"),
            part("inline", b"png", "image/png", "Content-ID: <logo@example.org>"),
            ("Content-Type: message/rfc822", "", inner.decode()),
            ("Content-Type: text/plain; name=notes.txt", "Content-Transfer-Encoding: "
             "quoted-printable", "", "caf=C3=A9"),
            part("attachment", b"", "application/x-empty")))
        listed = self.attachments(ref)
        self.assertEqual([(a["number"], a["name"], a["media_type"], a["disposition"],
                           a["content_id"], a["size"]) for a in listed], [
            (1, "report.pdf", "application/pdf", "attachment", "", len(PDF)),
            (2, "", "image/png", "inline", "logo@example.org", 3),
            (3, "within.eml", "message/rfc822", "", "", len(inner)),
            (4, "notes.txt", "text/plain", "", "", 5),
            (5, "", "application/x-empty", "attachment", "", 0)])
        for number, expected in enumerate((PDF, b"png", inner, "café".encode(), b""), 1):
            taken = self.take(ref, number)
            self.assertEqual(taken.bytes, expected)
            self.assertEqual(taken.headers["Content-Type"], listed[number - 1]["media_type"])
            self.assertEqual(int(taken.headers["Content-Length"]), len(expected))
        for number in ("0", "6", "-1", "1x", "99999999999999999999", "%2e%2e", "1%2F2"):
            self.take(ref, number, 404)
        self.assertEqual(self.attachments(self.items()[0]["ref"]), [])
        self.take("0123456789abcdef01234567", 1, 404)

    def test_of_an_earlier_version(self):
        name = "changing"
        first = self.archive(name, message(part('attachment; filename="a"', b"one")))
        self.assertEqual(self.take(first, 1).bytes, b"one")
        self.take(f"{first}", "1?version=7", 404)
        self.assertEqual(self.take(first, "1?version=1").bytes, b"one")

    def test_come_with_fields_that_let_them_do_nothing(self):
        names = {
            'filename="../../etc/passwd"': "passwd",
            'filename="C:\\\\Windows\\\\evil.exe"': "evil.exe",
            'filename="a\\"; filename=evil.html; x=\\".txt"': None,
            "filename*=utf-8''na%C3%AFve%20%E2%82%AC.txt": "naïve €.txt",
            "filename*=utf-8''line%0D%0ASet-Cookie%3A%20a%3Db.txt": "line__Set-Cookie_ a=b.txt",
            "filename*=utf-8''%E2%80%AEgpj.exe": "gpj.exe",
            'filename=".."': "attachment-7",
            'filename=".htaccess"': "htaccess",
            'filename="con.txt"': "_con.txt",
            f'filename="{"x" * 400}.docx"': "x" * 145 + ".docx",
            "filename*=utf-8''" + "%E2%82%AC" * 100 + ".pdf": "€" * 48 + ".pdf",
            'filename="100%25.txt"': "100%25.txt",
            'filename="bell\x07.txt"': "bell_.txt",
        }
        ref = self.archive("evil", message(
            *(part(f"attachment; {name}", b"x", "text/html") for name in names)))
        listed = self.attachments(ref)
        self.assertEqual(len(listed), len(names))
        for one, (given, expected) in zip(listed, names.items()):
            with self.subTest(given):
                response = self.take(ref, one["number"])
                fields = [name.lower() for name, _ in response.getheaders()]
                self.assertNotIn("set-cookie", fields)
                self.assertEqual(response.headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(response.headers["Content-Security-Policy"],
                                 "sandbox; default-src 'none'")
                disposition = response.headers["Content-Disposition"]
                self.assertRegex(disposition, r'^attachment; filename="[^"\\%]*"; '
                                              r"filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$")
                name = unquote(disposition.rsplit("''", 1)[1])
                self.assertEqual(name, one["file_name"])
                self.assertNotRegex(name, r'[/\\"\x00-\x1f\u202a-\u202e]')
                self.assertLessEqual(len(name.encode()), 150)
                if expected:
                    self.assertEqual(name, expected)

    def test_media_types_that_are_none_become_bytes(self):
        types = ["text/html\x01", "a/b/c", "nothing", "x" * 200 + "/y", "image/svg+xml",
                 'text/"quoted"']
        ref = self.archive("types", message(*(part("attachment; filename=f", b"x", t)
                                              for t in types)))
        taken = [self.take(ref, n + 1).headers["Content-Type"] for n in range(len(types))]
        self.assertEqual(taken[4], "image/svg+xml")
        for content_type in taken:
            self.assertRegex(content_type, r"^[a-z0-9.+-]{1,127}/[a-z0-9.+-]{1,127}$")

    def test_are_read_by_who_may_and_written_down(self):
        ref = self.archive("secret", message(part('attachment; filename="a"')))
        own = self.credential("account_holder", "nobody@example.org")
        self.take(ref, 1, 404, own)
        self.assertEqual(self.call("GET", f"/api/v1/items/{ref}/attachments", own).status, 404)
        admin = self.credential("administrator")
        self.take(ref, 1, 403, admin)
        self.take(ref, 1)
        self.attachments(ref)
        entries = self.run_ok("audit", "list", "--object", ref, "--by", "api:auditor-0",
                              "--json").document["entries"]
        self.assertEqual([(e["action"], e["detail"].get("attachment"), e["detail"]["status"])
                          for e in reversed(entries)],
                         [("download", "1", 200), ("read", None, 200)])

    def test_of_broken_and_deep_mail_do_no_harm(self):
        broken = {
            "cut": message(part('attachment; filename="a"', PDF))[:-2000],
            "binary": b"\x00\xff" * 5000,
            "empty": b"",
            "headless": b"just words",
            "bad-base64": message(("Content-Disposition: attachment; filename=a",
                                   "Content-Transfer-Encoding: base64", "", "!!!! not base64 ****")),
            "bad-names": message(("Content-Type: application/x; name*0*=utf-8''%ff%fe; name*1=x",
                                  "", "x"), ("Content-Disposition: attachment; filename==?utf-8?b?",
                                             "", "y")),
        }
        for name, content in broken.items():
            with self.subTest(name):
                (self.mail / f"{name}.eml").write_bytes(content)
        self.run_program("sync")
        for item in self.items():
            response = self.call("GET", f"/api/v1/items/{item['ref']}/attachments", self.auditor)
            self.assertEqual(response.status, 200, (item["subject"], response.bytes))
            for one in response.document["attachments"]:
                self.take(item["ref"], one["number"])
        deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
                        for n in range(500))
        ref = self.archive("deep", b"Subject: deep\r\nMIME-Version: 1.0\r\n" + deep
                           + b"Content-Disposition: attachment\r\n\r\nx\r\n")
        shown = self.get(f"/items/{ref}/attachments", self.auditor).document
        self.assertFalse(shown["complete"])
        wide = message(*(part("attachment", b"x") for _ in range(1500)), subject="wide")
        shown = self.get(f"/items/{self.archive('wide', wide)}/attachments", self.auditor).document
        self.assertFalse(shown["complete"])
        self.assertLess(len(shown["attachments"]), 1001)

    def test_a_large_one_comes_whole(self):
        data = bytes(range(256)) * 4096 * 20  # 20 MiB
        ref = self.archive("large", message(part('attachment; filename="large.bin"', data)))
        self.assertEqual(self.attachments(ref)[0]["size"], len(data))
        self.assertEqual(self.take(ref, 1).bytes, data)


if __name__ == "__main__":
    unittest.main()
