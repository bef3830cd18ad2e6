"""Full-text search: what is found, by which words; the query language; the index beside import, service, forget and rebuild."""

import email.message
import email.policy
import glob
import io
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest
import zipfile

from harness import CORPUS, Archive, ArchiverTest, Simulator, running, wait_until

DAY = 86400
START = 1_700_000_000  # 2023-11-14


def raw(subject="", body="", sender="Ada <ada@example.org>", to="bob@example.org", headers=(), **content):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    for name, value in headers:
        message[name] = value
    message.set_content(body, **content)
    return message


def package(entries):
    """A zip file, as office programs write them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def pdf_of(objects):
    content = b"%PDF-1.4\n"
    for number, body in enumerate(objects, 1):
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return content + b"trailer\n<</Root 1 0 R/Size %d>>\n%%%%EOF\n" % (len(objects) + 1)


def stream(content, extra=b""):
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), extra, content)


def pdf(text):
    return pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                   b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
                   stream(b"BT /F 20 Tf 50 250 Td (%s) Tj ET" % text.encode() if text else b""),
                   b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"])


def looping_pdf():
    """A form draws another one twenty times, which draws another one twenty times, ..."""
    forms = [stream(b"/X Do " * 20, b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % (number + 1))
             for number in range(5, 17)]
    last = stream(b"BT ET", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                   b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]/Contents 4 0 R/Resources<</XObject<</X 5 0 R>>>>>>",
                   stream(b"/X Do"), *forms, last])


class SearchTest(ArchiverTest):
    def setUp(self):
        super().setUp()
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.number = 0

    def put(self, name, message, at=None, folder=None):
        """A file of the source; received a day after the one before."""
        self.number += 1
        content = message if isinstance(message, bytes) else message.as_bytes()
        file = (folder or self.mail) / f"{name}.eml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        received = at if at is not None else START + self.number * DAY
        os.utime(file, (received, received))

    def synced(self, name="site", **changes):
        archive = Archive(self.folder / name, {"paths": [str(self.mail)]}, provider="mailfiles")
        archive.profile["archive"].update(changes)
        archive.write_profile()
        archive.run("sync")
        return archive

    def lines(self, archive, *arguments, expect=0):
        if arguments and arguments[0][:1] == "-" and arguments[0][:2] != "--":
            arguments = (*arguments[1:], "--", arguments[0])
        output = archive.run("--json", "search", *arguments, expect=expect).stdout.decode()
        lines = [json.loads(line) for line in output.splitlines()]
        return lines[:-1], lines[-1]["summary"]

    def found(self, archive, *arguments):
        """Names of the files, in order."""
        hits, _ = self.lines(archive, *arguments)
        return [pathlib.PurePath(hit["item"]).stem for hit in hits]

    def assert_found(self, archive, query, *names, options=()):
        self.assertEqual(self.found(archive, query, *options), list(names), query)

    def test_words_in_every_charset_and_place(self):
        self.put("latin1", raw("Grüße", "Über den Wölfen".replace("ö", "ö"), charset="iso-8859-1"))
        self.put("japanese", raw("会議", "日本時間の明日までに報告してください", charset="iso-2022-jp"))
        self.put("cyrillic", raw("x", "Договор подписан", charset="koi8-r"))
        self.put("large", raw("x", "plain words\n" * 1000 + "needle in a large base64 body\n", cte="base64"))
        page = raw("x", "nothing")
        page.add_alternative("<html><head><style>.styled{}</style><script>scripted()</script></head><body><p>visi<b>ble</b></p>"
                             "<img src='http://tracker/' alt='pictured'><td>left</td><td>right</td>&eacute;tude</body></html>",
                             subtype="html")
        self.put("html", page)
        outer = raw("outer", "see the attached message")
        outer.add_attachment(raw("innersubject", "innerbody", sender="Eve <eve@inner.example>"))
        self.put("nested", outer)
        named = raw("x", "with files")
        named.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="Jahresbericht_2023.bin")
        self.put("named", named)
        self.put("raw8bit", b"From: a@b\r\nSubject: x\r\n\r\ncaf\xe9 undeclared\r\n")
        self.put("blank_first", b"   \r\nFrom: a@b\r\nSubject: x\r\n\r\nafterblank\r\n")
        archive = self.synced()
        for query, name in (("grusse", "latin1"), ("WÖLFEN", "latin1"), ("über", "latin1"), ("uber", "latin1"),
                            ("会", "japanese"), ("時間", "japanese"), ("日本時間", "japanese"), ("報告して", "japanese"),
                            ("договор", "cyrillic"), ("needle", "large"), ("visible", "html"), ("pictured", "html"),
                            ('"left right"', "html"), ("étude", "html"), ("innersubject", "nested"), ("innerbody", "nested"),
                            ("inner.example", "nested"), ("jahresbericht", "named"), ("filename:2023", "named"),
                            ("cafe", "raw8bit"), ("afterblank", "blank_first")):
            with self.subTest(query=query):
                self.assert_found(archive, query, name)
        for query in ("scripted", "styled", "tracker", "本日", "間日", "nowhere"):
            with self.subTest(query=query):
                self.assert_found(archive, query)

    def test_query_language(self):
        self.put("one", raw("Quarterly budget", "The quick brown fox", to="Bob <bob@example.org>",
                            headers=[("Cc", "carol@example.net"), ("Message-ID", "<one@example.org>")]))
        self.put("two", raw("Lunch", "quick lunch, brown bread", sender="Dora <dora@example.net>",
                            headers=[("Bcc", "eve@example.net"), ("Message-ID", "<two@example.org>")]))
        big = raw("Budgets and plans", "fox " * 10)
        big.add_attachment(b"x" * 300_000, maintype="application", subtype="octet-stream", filename="plan.bin")
        self.put("three", big)
        archive = self.synced()
        for query, names in (
                ("quick", ["two", "one"]), ("quick brown", ["two", "one"]), ('"quick brown"', ["one"]),
                ("quick -lunch", ["one"]), ("quick NOT lunch", ["one"]), ("-quick", ["three"]),
                ("lunch OR fox", ["three", "two", "one"]), ("(lunch OR fox) quick", ["two", "one"]),
                ("budget", ["one"]), ("budget*", ["three", "one"]), ("subject:(quarterly OR plans)", ["three", "one"]),
                ("from:dora", ["two"]), ("from:example.org", ["three", "one"]), ("to:bob", ["three", "two", "one"]),
                ("cc:carol", ["one"]), ("bcc:eve", ["two"]), ("participant:dora@example.net", ["two"]),
                ("participant:carol", ["one"]), ("subject:quick", []), ("has:attachment", ["three"]),
                ("-has:attachment", ["two", "one"]), ("larger:100k", ["three"]), ("-larger:100k fox", ["one"]),
                ("message-id:<one@example.org>", ["one"]), ("before:2023-11-16", ["one"]),
                ("after:2023-11-16", ["three", "two"]), ("after:2023-11-16 before:2023-11-17", ["two"]),
                ("after:2024", []), ("larger:100k OR lunch", ["three", "two"]), ("-(larger:100k OR lunch)", ["one"]),
                ("account:nobody OR fox", None), ("", ["three", "two", "one"]), ('"or"', []), ("http://nowhere", [])):
            with self.subTest(query=query):
                if names is None:
                    archive.run("search", query, expect=2)
                else:
                    self.assert_found(archive, query, *names)
        for query, position in (("fro:x", 1), ("fox (lunch", 5), ("fox)", 4), ("fox OR", 7), ("OR fox", 1), ('é "open', 3),
                                ("a before:yesterday", 10), ("larger:much", 8), ("subject: x", 9), ("fox +++", 5), ("fox b*", 5), ("fox - lunch", 5)):
            with self.subTest(query=query):
                error = json.loads(archive.run("--json", "search", query, expect=2).stdout)["error"]["message"]
                self.assertIn(f"at character {position}:", error)

    def test_filters_pages_counts_and_conversations(self):
        work = self.mail / "work"
        self.put("a", raw("Plan", "apple", headers=[("Message-ID", "<a@x>")]), folder=work)
        self.put("b", raw("Re: Plan", "apple", sender="Bob <bob@example.org>", to="ada@example.org",
                          headers=[("Message-ID", "<b@x>"), ("In-Reply-To", "<a@x>"), ("References", "<a@x>")]))
        self.put("c", raw("Re: Plan", "apple " * 5 + "pear", headers=[("Message-ID", "<c@x>"), ("References", "<a@x> <b@x>")]))
        self.put("d", raw("Other", "apple", headers=[("Message-ID", "<d@x>")]))
        archive = self.synced()
        hits, summary = self.lines(archive, "apple")
        self.assertEqual([pathlib.PurePath(h["item"]).stem for h in hits], ["d", "c", "b", "a"])
        self.assertEqual(summary["coverage"], {"not_yet_indexed": 0, "encrypted": 0, "no_text": 0, "extraction_failed": 0,
                                               "unsupported": 0, "too_large": 0})
        self.assertFalse(summary["more"])
        first = hits[-1]["ref"]
        self.assertEqual([h["conversation"] for h in hits], [hits[0]["ref"], first, first, first])
        for hit in hits:
            for begin, end in hit["highlights"]:
                self.assertEqual(hit["snippet"][begin:end], "apple")
            self.assertTrue(hit["highlights"])
        self.assertEqual(self.found(archive, "--conversation", first), ["c", "b", "a"])
        self.assertEqual(self.found(archive, "apple", "--limit", 2), ["d", "c"])
        self.assertEqual(self.found(archive, "apple", "--limit", 2, "--offset", 2), ["b", "a"])
        self.assertTrue(self.lines(archive, "apple", "--limit", 2)[1]["more"])
        self.assertEqual(self.found(archive, "apple", "--relevance", "--limit", 1), ["c"])
        self.assertEqual(self.found(archive, "--sender", "BOB@"), ["b"])
        self.assertEqual(self.found(archive, "--recipient", "ada@example.org"), ["b"])
        self.assertEqual(self.found(archive, "--since", "2023-11-17", "apple"), ["d", "c"])
        self.assertEqual(self.found(archive, "--until", "2023-11-17", "apple"), ["b", "a"])
        folder = "/".join(hits[-1]["folders"][0])
        self.assertEqual(self.found(archive, "--folder", folder), ["a"])
        self.assertEqual(self.found(archive, f'folder:"{folder.upper()}"'), ["a"])
        self.assertEqual(len(self.found(archive, "--account", hits[0]["account"], "--source", "contoso")), 4)
        counts = self.lines(archive, "apple", "--counts")[1]["counts"]
        self.assertEqual(counts, {"total": 4, "sources": [{"source": "contoso", "hits": 4}],
                                  "accounts": [{"source": "contoso", "account": hits[0]["account"], "hits": 4}],
                                  "years": [{"year": 2023, "hits": 4}]})
        for wrong in (("--account", "nobody"), ("--source", "nothing"), ("--folder", "No/Where"), ("--since", "soon")):
            archive.run("search", *wrong, expect=2)
        text = archive.run("search", "pear").stdout.decode()
        self.assertIn("Re: Plan", text)
        self.assertIn("pear", text)

    def test_export_of_what_is_found(self):
        self.put("one", raw("x", "apple"))
        self.put("two", raw("x", "pear", to="carol@example.org"))
        broken = raw("x", "apple pie")
        broken.add_attachment(b"\xd0\xcf\x11\xe0", maintype="application", subtype="octet-stream", filename="locked.docx")
        self.put("three", broken)
        archive = self.synced()
        names = [pathlib.PurePath(e["item"]).stem for e in archive.export("apples", "--query", "apple")]
        self.assertEqual(sorted(names), ["one", "three"])
        document = json.loads((archive.folder / "apples" / "export.json").read_text())
        self.assertEqual(document["filters"]["query"], "apple")
        self.assertEqual(document["coverage"], {"not_yet_indexed": 0, "encrypted": 1})
        names = [pathlib.PurePath(e["item"]).stem for e in archive.export("carol", "--recipient", "carol")]
        self.assertEqual(names, ["two"])
        names = [pathlib.PurePath(e["item"]).stem for e in archive.export("files", "--has-attachment", "--query", "pie")]
        self.assertEqual(names, ["three"])
        archive.run("export", "--query", "fro:x", "--format", "eml", "--output", archive.folder / "wrong", expect=2)
        lines, summary = self.lines(archive, "--unsearched")
        self.assertEqual([line["gaps"] for line in lines], [[{"reason": "encrypted", "name": "locked.docx"}]])
        self.assertEqual(summary["coverage"]["encrypted"], 1)

    def attached(self, name, content, words="", **parameters):
        message = raw(f"about {name}", f"bodyof{words or name.split('.')[0]}")
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name, **parameters)
        self.put(name, message)

    def test_text_of_attachments(self):
        self.attached("letter.docx", package({"word/document.xml":
            "<w:document xmlns:w='w'><w:p><w:r><w:t>split</w:t></w:r><w:r><w:t>word</w:t></w:r></w:p><w:p><w:t>second</w:t></w:p>"
            "</w:document>", "word/media/image.xml": "<x>notindexed</x>"}))
        self.attached("table.xlsx", package({"xl/sharedStrings.xml": "<sst><si><t>sharedtext</t></si></sst>", "xl/worksheets/sheet1.xml":
            "<worksheet><row><c t='s'><v>4711</v></c><c><v>1234567</v></c></row></worksheet>"}))
        self.attached("slides.pptx", package({"ppt/slides/slide1.xml": "<p:sld xmlns:a='a' xmlns:p='p'><a:p><a:t>slidetext</a:t></a:p></p:sld>"}))
        self.attached("text.odt", package({"content.xml": "<o xmlns:text='t'><text:p>open<text:s/>document</text:p></o>"}))
        self.attached("page.html", b"<p>htmltext</p><script>hidden()</script>")
        self.attached("list.csv", "größe;csvtext".encode())
        self.attached("paper.pdf", pdf("pdftext inside"))
        self.attached("scan.pdf", pdf(""))
        self.attached("broken.pdf", b"%PDF-1.4 nothing of the kind")
        self.attached("locked.xlsx", b"\xd0\xcf\x11\xe0" + b"\0" * 600)
        self.attached("locked.odt", package({"content.xml": "\x01\x02", "META-INF/manifest.xml": "<m><encryption-data/></m>"}))
        self.attached("old.doc", b"\xd0\xcf\x11\xe0")
        archive = self.synced()
        for query, name in (("splitword", "letter.docx"), ("second", "letter.docx"), ("sharedtext", "table.xlsx"), ("1234567", "table.xlsx"),
                            ("slidetext", "slides.pptx"), ('"open document"', "text.odt"), ("htmltext", "page.html"),
                            ("grosse", "list.csv"), ('"pdftext inside"', "paper.pdf")):
            with self.subTest(query=query):
                self.assert_found(archive, query, name)
        for query in ("notindexed", "hidden", "4711"):
            self.assert_found(archive, query)
        lines, summary = self.lines(archive, "--unsearched")
        gaps = {gap["name"]: gap["reason"] for line in lines for gap in line["gaps"]}
        self.assertEqual(gaps, {"scan.pdf": "no_text", "broken.pdf": "extraction_failed", "locked.xlsx": "encrypted",
                                "locked.odt": "encrypted", "old.doc": "unsupported"})
        self.assertEqual(summary["coverage"], {"not_yet_indexed": 0, "encrypted": 2, "no_text": 1, "extraction_failed": 1,
                                               "unsupported": 1, "too_large": 0})
        # Without attachments their names are found, and nothing is read.
        without = self.synced("without", search={"attachments": False})
        self.assert_found(without, "sharedtext")
        self.assert_found(without, "filename:table", "table.xlsx")

    def test_hostile_content(self):
        zeros = b"<d xmlns:w='w'>" + b"<w:p>bomb</w:p>" * 8_000_000  # 120 MB of 120 KB
        self.attached("bomb.docx", package({"word/document.xml": zeros}))
        entities = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(12)) + "]><d><p>&m;</p></d>"
        self.attached("laughs.docx", package({"word/document.xml": entities}))
        self.attached("loop.pdf", looping_pdf())
        self.attached("after.csv", b"stillhere")
        both = raw("two", "bodytwo")
        both.add_attachment(b"firstpart", maintype="text", subtype="csv", filename="first.csv")
        both.add_attachment(looping_pdf(), maintype="application", subtype="pdf", filename="second.pdf")
        both.add_attachment(b"thirdpart", maintype="text", subtype="csv", filename="third.csv")
        self.put("two", both)
        nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(20_000))
        self.put("deep", b"From: a@b\r\nSubject: deepsubject\r\n" + nested + b"\r\nbottom")
        within = b"".join(b"Subject: level\r\nContent-Type: message/rfc822\r\n\r\n" for _ in range(5_000))
        self.put("within", b"From: a@b\r\nMIME-Version: 1.0\r\n" + within + b"Subject: x\r\n\r\nbottom")
        self.put("header", b"From: a@b\r\nSubject: longsubject " + b"word " * 2_000_000 + b"\r\n\r\nbody")
        self.put("many", b"From: a@b\r\nSubject: manyparts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
                 b"--b\r\nContent-Type: application/x; name=n\r\n\r\nx\r\n" * 50_000)
        self.put("nul", b"From: a@b\r\nSubject: nul\r\n\r\nbefore\0after \xee\x80\x80e \xff\xfe")
        self.put("ids", b"From: a@b\r\nSubject: ids\r\nReferences: " + b"<x@y> " * 100_000 + b"\r\n\r\nbody")
        archive = self.synced()
        for query, name in (("stillhere", "after.csv"), ("firstpart", "two"), ("thirdpart", "two"), ("bodytwo", "two"),
                            ("bodyofbomb", "bomb.docx"), ("bodyofloop", "loop.pdf"), ("deepsubject", "deep"),
                            ("longsubject", "header"), ("manyparts", "many"), ("before after", "nul"), ("subject:ids", "ids")):
            with self.subTest(query=query):
                self.assert_found(archive, query, name)
        lines, summary = self.lines(archive, "--unsearched")
        gaps = {(gap["name"], gap["reason"]) for line in lines for gap in line["gaps"]}
        self.assertIn(("loop.pdf", "extraction_failed"), gaps)
        self.assertIn(("second.pdf", "extraction_failed"), gaps)
        self.assertIn("bomb.docx", {name for name, _ in gaps})
        self.assertEqual(summary["coverage"]["not_yet_indexed"], 0)

    def test_a_forgotten_account_leaves_nothing(self):
        with Simulator("--users", 3, "--messages", 40) as simulator:
            archive = self.archive(simulator)
            archive.sync()
            addresses = [a["address"] for a in archive.json("accounts")["accounts"]]
            gone = addresses[0]
            hits, _ = self.lines(archive, "", "--account", gone, "--limit", 1000)
            kept = {address: self.found(archive, "", "--account", address, "--limit", 1000) for address in addresses[1:]}
            self.assertGreater(len(hits), 20)
            archive.run("forget", gone, "--reason", "test")
            archive.run("search", "", "--account", gone, expect=2)
            for address, items in kept.items():
                self.assertEqual(self.found(archive, "", "--account", address, "--limit", 1000), items)
            archive.sync()
            self.assertEqual(self.lines(archive, "")[1]["coverage"]["not_yet_indexed"], 0)

    def test_the_words_of_a_forgotten_account_are_out_of_the_file(self):
        for name, word in (("first", "zanzibarword"), ("second", "quixoticword")):
            self.put(name, raw("x", f"{word} " * 3), folder=self.folder / name)
        archive = Archive(self.folder / "site", {"paths": [str(self.folder / "first"), str(self.folder / "second")]},
                          provider="mailfiles")
        archive.run("sync")
        self.assert_found(archive, "zanzibarword", "first")
        files = str(archive.folder / "catalog" / "search.db") + "*"
        content = b"".join(pathlib.Path(f).read_bytes() for f in glob.glob(files))
        self.assertIn(b"zanzibarwor", content)
        archive.run("forget", "first", "--reason", "test")
        content = b"".join(pathlib.Path(f).read_bytes() for f in glob.glob(files))
        self.assertNotIn(b"zanzibarwor", content)
        self.assertIn(b"quixoticwor", content)
        self.assert_found(archive, "zanzibarword")
        self.assert_found(archive, "quixoticword", "second")

    def test_the_words_of_a_forgotten_item_are_out_of_the_file(self):
        self.put("kept", raw("x", "quixoticword mutualword"))
        self.put("gone", raw("x", "zanzibarword mutualword"))
        archive = self.synced()
        ref = self.lines(archive, "zanzibarword")[0][0]["ref"]
        archive.run("forget", ref, "--reason", "test")
        files = glob.glob(str(archive.folder / "catalog" / "search.db") + "*")
        content = b"".join(pathlib.Path(f).read_bytes() for f in files)
        self.assertNotIn(b"zanzibarwor", content)
        self.assertIn(b"quixoticwor", content)
        self.assert_found(archive, "mutualword", "kept")
        self.assert_found(archive, "zanz*")
        self.put("again", raw("x", "zanzibarword"))
        archive.run("sync")
        self.assert_found(archive, "zanz*", "again")

    def test_the_index_catches_up_after_kills(self):
        for number in range(600):
            self.put(f"m{number}", raw(f"number {number}", f"common word{number} " + "filler " * 2000))
        archive = Archive(self.folder / "site", {"paths": [str(self.mail)]}, provider="mailfiles")
        for pause in (0.3, 0.5, 0.8):
            process = archive.start("sync", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with running(process):
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
        archive.run("sync")
        hits, summary = self.lines(archive, "common", "--limit", 1000)
        self.assertEqual(len({hit["item"] for hit in hits}), 600)
        self.assertEqual(len(hits), 600)
        self.assertEqual(summary["coverage"]["not_yet_indexed"], 0)
        self.assert_found(archive, "word599", "m599")
        # Damaged, gone, or of another catalog: made anew.
        index = archive.folder / "catalog" / "search.db"
        index.write_bytes(b"nonsense" * 1000)
        archive.run("search", "common", expect=4)
        archive.run("sync")
        self.assertEqual(len(self.found(archive, "common", "--limit", 1000)), 600)
        index.unlink()
        _, summary = self.lines(archive, "common")
        self.assertEqual(summary["coverage"]["not_yet_indexed"], 600)
        archive.run("rebuild")
        self.assertEqual(len(self.found(archive, "common", "--limit", 1000)), 600)

    def test_beside_a_service(self):
        self.put("early", raw("x", "earlyword"))
        archive = Archive(self.folder / "site", {"paths": [str(self.mail)]}, provider="mailfiles")
        archive.profile["sources"][0]["schedule"] = {"every": "1s"}
        archive.write_profile()
        with running(archive.start("serve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)) as process:
            wait_until(lambda: (archive.folder / "catalog" / "search.db").exists() and
                       archive.run("search", "earlyword", expect=None).stdout.startswith(b"nothing") is False and
                       self.found(archive, "earlyword") == ["early"], what="the first message")
            self.put("late", raw("x", "lateword"))
            wait_until(lambda: self.found(archive, "lateword") == ["late"], what="new mail")
            archive.run("rebuild")
            wait_until(lambda: self.found(archive, "lateword") == ["late"], what="the index after a rebuild")
            # An extractor that dies takes nothing with it.
            children = pathlib.Path(f"/proc/{process.pid}/task")
            extractors = [int(child) for task in children.iterdir()
                          for child in (task / "children").read_text().split()]
            self.assertTrue(extractors)
            for extractor in extractors:
                os.kill(extractor, signal.SIGKILL)
            self.put("later", raw("x", "laterword"))
            wait_until(lambda: self.found(archive, "laterword") == ["later"], what="mail after a crash")
            _, summary = self.lines(archive, "laterword")
            self.assertEqual(summary["coverage"]["extraction_failed"], 0)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(20), 0)

    def test_without_an_index(self):
        self.put("one", raw("x", "word"))
        archive = self.synced(search={"enabled": False})
        hits, summary = self.lines(archive, "word")
        self.assertEqual((hits, summary["coverage"]["not_yet_indexed"]), ([], 1))

    @unittest.skipUnless(CORPUS and pathlib.Path(CORPUS, "torture").exists(), "OPENARCHIVER_TEST_CORPUS has no torture/")
    def test_broken_mail(self):
        self.mail = pathlib.Path(CORPUS, "torture")
        archive = self.synced()
        _, summary = self.lines(archive, "", "--limit", 1)
        self.assertEqual(summary["coverage"]["not_yet_indexed"], 0)
        lines, _ = self.lines(archive, "--unsearched", "--limit", 1000)
        for line in lines:
            for gap in line["gaps"]:  # attachments that are broken themselves
                self.assertTrue(gap["name"] or gap["reason"] != "extraction_failed", line)


if __name__ == "__main__":
    unittest.main()
