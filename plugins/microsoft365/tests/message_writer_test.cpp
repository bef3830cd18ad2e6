#include "mail/message_writer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace openarchiver::microsoft365 {

namespace {

/// Header fields with their folds taken away.
std::vector<std::string> fields_of(const std::string& text) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find("\r\n", at);
        REQUIRE(end != std::string::npos);
        const std::string line = text.substr(at, end - at);
        CHECK(line.size() <= 998);
        CHECK(line.find_first_of("\r\n") == std::string::npos);
        if (line.starts_with(' ') || line.starts_with('\t')) {
            REQUIRE(!fields.empty());
            fields.back() += line;
        } else {
            fields.push_back(line);
        }
        at = end + 2;
    }
    return fields;
}

bool has(const std::vector<std::string>& fields, std::string_view field) {
    return std::find(fields.begin(), fields.end(), field) != fields.end();
}

}  // namespace

TEST_CASE("a message's header is written from what is known of it", "[unit]") {
    MessageDocument message;
    message.subject = "Grüße";
    message.from = {{"Kos, \"Anna\"", "anna@contoso.example"}};
    message.sender = {{"Assistant", "help@contoso.example"}};
    message.to = {{"", "bo@fabrikam.example"}, {"Jörg", "joerg@fabrikam.example"}};
    message.date = sdk::Timestamp(std::chrono::seconds(1'790'629'385));
    message.message_id = "<a@b>";
    const auto fields = fields_of(write_message_headers(message, "ErrorX"));
    CHECK(fields.front() == "X-OpenArchiver-Reconstructed: ErrorX");
    CHECK(has(fields, "Subject: =?utf-8?B?R3LDvMOfZQ==?="));
    CHECK(has(fields, "From: \"Kos, \\\"Anna\\\"\" <anna@contoso.example>"));
    CHECK(has(fields, "Sender: \"Assistant\" <help@contoso.example>"));
    CHECK(has(fields, "To: <bo@fabrikam.example>, =?utf-8?B?SsO2cmc=?= <joerg@fabrikam.example>"));
    CHECK(has(fields, "Date: Mon, 28 Sep 2026 21:03:05 +0000"));
    CHECK(has(fields, "Message-ID: <a@b>"));
    CHECK(has(fields, "MIME-Version: 1.0"));
}

TEST_CASE("the transported header comes first, without what described the lost body", "[unit]") {
    MessageDocument message;
    message.subject = "of the metadata";
    message.headers = {{"Received", "by  mx;\tMon"},
                       {"SUBJECT", "as sent"},
                       {"Content-Type", "application/pkcs7-mime"},
                       {"MIME-Version", "1.0"},
                       {"X-OpenArchiver-Reconstructed", "forged"},
                       {"not a name", "x"},
                       {"DKIM-Signature", std::string(3000, 'a') + " b"}};
    const auto fields = fields_of(write_message_headers(message, "E"));
    CHECK(fields.size() == 5);
    CHECK(has(fields, "Received: by  mx;\tMon"));
    CHECK(has(fields, "SUBJECT: as sent"));
    CHECK(!has(fields, "X-OpenArchiver-Reconstructed: forged"));
}

TEST_CASE("nothing that a sender chose ends a header field", "[unit]") {
    const std::string evil = "x\r\nBcc: victim@contoso.example\r\n\r\nbody";
    MessageDocument message;
    message.subject = evil;
    message.from = {{evil, evil}};
    message.message_id = evil;
    message.headers = {{"X-Mailer", evil}};
    for (const std::string& field : fields_of(write_message_headers(message, "E"))) {
        CHECK(!field.starts_with("Bcc"));
        CHECK(!field.empty());
    }
    AttachmentEntry attachment;
    attachment.name = evil + "\" ; ü";
    attachment.content_type = "text/html\r\nX: y";
    attachment.content_id = evil;
    const std::string part = write_attachment_headers(attachment);
    CHECK(part.find("\r\n\r\n") == part.size() - 4);
    CHECK(part.starts_with("Content-Type: application/octet-stream"));
    CHECK(part.find("\nBcc") == std::string::npos);
}

TEST_CASE("words are not cut within a character", "[unit]") {
    MessageDocument message;
    for (int i = 0; i < 50; ++i) {
        message.subject += "x😀";
    }
    const auto fields = fields_of(write_message_headers(message, "E"));
    const std::string& subject = fields.at(1);
    // Each word is one of 45 bytes at most: a cut one would end in a partial character, and the
    // base64 of "😀" (8J+YgA) would not be whole.
    for (std::size_t at = 0; (at = subject.find("=?utf-8?B?", at)) != std::string::npos; ++at) {
        CHECK(subject.find("?=", at + 10) - at <= 75);
    }
}

TEST_CASE("base64 comes out the same however the bytes came in", "[unit]") {
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        bytes += static_cast<char>(i * 7);
    }
    const std::string whole = Base64Lines().encode(bytes, true);
    for (const std::size_t step : {1U, 2U, 56U, 57U, 58U, 999U}) {
        Base64Lines lines;
        std::string pieces;
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            pieces += lines.encode(std::string_view(bytes).substr(at, step), false);
        }
        CHECK(pieces + lines.encode({}, true) == whole);
    }
    CHECK(Base64Lines().encode({}, true).empty());
}

}  // namespace openarchiver::microsoft365
