#include <gmime/gmime.h>

#include <catch2/catch.hpp>
#include <map>

#include "search/extract/mail.hpp"

namespace openarchiver::search::extract {

namespace {

class Collected final : public MailSink {
public:
    void text(Field field, std::string_view more) override { document[field] += more; }

    void gap(GapReason reason, std::string_view name) override {
        document.gaps.push_back({reason, std::string(name)});
    }

    [[nodiscard]] bool full(Field) const override { return false; }

    void message_id(std::string_view id) override { document.message_id = id; }

    void reference(std::string_view id) override { document.references.emplace_back(id); }

    void has_attachment() override { document.has_attachment = true; }

    void attachment(std::uint32_t number, std::string_view name) override {
        attachments[number] = name;
    }

    std::string part(std::uint32_t index) override {
        asked.push_back(index);
        return "bytes of part " + std::to_string(index);
    }

    Document document;
    std::map<std::uint32_t, std::string> attachments;
    std::vector<std::uint32_t> asked;
};

Document read(std::string message, const wire::Request& request = {}) {
    g_mime_init();
    Collected sink;
    read_mail(std::move(message), request, sink);
    return sink.document;
}

std::string mixed(std::string_view attachment) {
    return "Content-Type: multipart/mixed; boundary=b\r\nSubject: "
           "s\r\n\r\n--b\r\n\r\nbody\r\n--b\r\n" +
           std::string(attachment) + "\r\n--b--\r\n";
}

}  // namespace

TEST_CASE("Addresses and ids of a message are told apart", "[unit]") {
    const auto document = read(
        "From: =?utf-8?q?Ad=C3=A9le?= <a@x>\r\nTo: b@x, C <c@x>\r\nCc: d@x\r\nBcc: e@x\r\n"
        "Reply-To: f@x\r\nMessage-ID: <m@x>\r\nIn-Reply-To: <r@x>\r\nReferences: <q@x> <r@x>\r\n"
        "\r\ntext");
    CHECK_THAT(document[Field::from], Catch::Contains("Ad\u00e9le") && Catch::Contains("f@x"));
    CHECK_THAT(document[Field::to], Catch::Contains("b@x") && Catch::Contains("c@x"));
    CHECK_THAT(document[Field::cc], Catch::Contains("d@x"));
    CHECK_THAT(document[Field::bcc], Catch::Contains("e@x"));
    CHECK(document.message_id == "m@x");
    CHECK(document.references == std::vector<std::string>{"r@x", "r@x", "q@x"});
    CHECK_FALSE(document.has_attachment);
}

TEST_CASE("Alternatives are searched once where they say the same", "[unit]") {
    const auto document = read(
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nhello world\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n<p>hello world</p><p>hello more</p>\r\n--b--");
    CHECK(document[Field::body].find("hello world") == document[Field::body].rfind("hello world"));
    CHECK_THAT(document[Field::body], Catch::Contains("hello more"));
}

TEST_CASE("Parts are asked for where they have text", "[unit]") {
    g_mime_init();
    Collected sink;
    const auto base64 = [](std::uint32_t index) {
        gchar* const text =
            g_base64_encode(reinterpret_cast<const guchar*>(wire::part_mark(index).c_str()),
                            wire::part_mark(index).size());
        std::string result = text;
        g_free(text);
        return result;
    };
    read_mail(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\n" +
            base64(0) +
            "\r\n--b\r\nContent-Type: image/png; name=x.png\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n" +
            base64(1) +
            "\r\n--b\r\nContent-Type: text/csv; name=x.csv\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n" +
            base64(2) + "\r\n--b--",
        {}, sink);
    CHECK(sink.asked == std::vector<std::uint32_t>{0, 2});
    CHECK_THAT(sink.document[Field::body], Catch::Contains("bytes of part 0"));
    CHECK_THAT(sink.document[Field::attachment], Catch::Contains("bytes of part 2"));
    CHECK(sink.attachments.size() == 2);
}

TEST_CASE("Attachments that were read before are left out", "[unit]") {
    const std::string message = mixed("Content-Type: text/csv; name=x.csv\r\n\r\nvalues");
    CHECK_THAT(read(message)[Field::attachment], Catch::Contains("values"));
    const auto later = read(message, {.first_attachment = 1});
    CHECK(later[Field::attachment].empty());
    CHECK_THAT(later[Field::filename], Catch::Contains("x.csv"));
    CHECK(read(message, {.attachments = false})[Field::attachment].empty());
}

TEST_CASE("What can't be read is a gap with its name", "[unit]") {
    const auto gaps = [](std::string_view attachment) { return read(mixed(attachment)).gaps; };
    using Gaps = std::vector<Gap>;
    CHECK(gaps("Content-Type: application/zip; name=a.zip\r\n\r\nPK") ==
          Gaps{{GapReason::unsupported, "a.zip"}});
    CHECK(gaps("Content-Type: application/pkcs7-mime; name=smime.p7m\r\n\r\nx") ==
          Gaps{{GapReason::encrypted, "smime.p7m"}});
    CHECK(gaps("Content-Type: application/x; name=a.docx\r\n\r\nno zip") ==
          Gaps{{GapReason::failed, "a.docx"}});
    CHECK(gaps("Content-Type: image/png; name=a.png\r\n\r\nx").empty());
    CHECK(read("Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--").gaps ==
          Gaps{{GapReason::encrypted, ""}});
}

TEST_CASE("A few words without a header are searched", "[unit]") {
    const auto document = read("\nword\n");
    CHECK(document.gaps.empty());
    CHECK_THAT(document[Field::body], Catch::Contains("word"));
}

TEST_CASE("Nesting without end is cut", "[unit]") {
    std::string message;
    for (int i = 0; i < 2000; ++i) {
        message += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" +
                   std::to_string(i) + "\r\n";
    }
    const auto document = read(message + "\r\ndeep");
    REQUIRE_FALSE(document.gaps.empty());
    CHECK(document.gaps.front().reason == GapReason::too_large);
}

TEST_CASE("Text is read in the charset that it is in", "[unit]") {
    CHECK(to_utf8("caf\xE9", "") == "caf\u00e9");
    CHECK(to_utf8("caf\xC3\xA9", "us-ascii") == "caf\u00e9");
    CHECK(to_utf8("caf\xC3\xA9", "no-such-charset") == "caf\u00e9");
    CHECK(to_utf8("\xC4\xE3\xBA\xC3", "gb2312") == "\u4f60\u597d");
    CHECK(to_utf8(std::string("\xFF\xFE"
                              "a\0b\0",
                              6),
                  "") == "ab");
    CHECK(to_utf8("a\x1B$B", "iso-2022-jp").starts_with("a"));
}

TEST_CASE("HTML is what a browser shows", "[unit]") {
    const auto text = html_text(
        "<html><head><title>T</title><style>s{}</style></head><body onload='x()'>a<b>b</b>c&amp;"
        "<script>evil()</script><br>d<!-- no --><img src=http://t/p alt=pic></body>",
        "");
    CHECK_THAT(text, Catch::Contains("abc&") && Catch::Contains("d") && Catch::Contains("pic"));
    for (const char* const hidden : {"evil", "s{}", "x()", "http", "no "}) {
        CHECK(text.find(hidden) == std::string::npos);
    }
    CHECK_THAT(html_text("<p>\xE9t\xE9", "iso-8859-1"), Catch::Contains("\u00e9t\u00e9"));
    CHECK_THAT(html_text("<p>" + std::string(100'000, '<'), ""), !Catch::Contains("\x01"));
    std::string deep;
    for (int i = 0; i < 100'000; ++i) {
        deep += "<div>";
    }
    CHECK_THAT(html_text(deep + "bottom", ""), Catch::Contains("bottom"));
}

}  // namespace openarchiver::search::extract
