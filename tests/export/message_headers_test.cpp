#include "pipeline/message_headers.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "export/utf8.hpp"

using openarchiver::exporter::valid_utf8;
using namespace openarchiver::pipeline;

namespace {

MessageHeaders read(std::string_view text) {
    return read_headers(std::as_bytes(std::span(text)));
}

void require_clean(const std::string& value) {
    REQUIRE(value.size() <= kMaxHeaderValue);
    REQUIRE(valid_utf8(value) == value);
    for (const char c : value) {
        REQUIRE(static_cast<unsigned char>(c) >= 0x20);
        REQUIRE(c != 0x7F);
    }
}

void require_clean(const MessageHeaders& headers) {
    require_clean(headers.message_id);
    require_clean(headers.subject);
    require_clean(headers.from);
}

long long seconds(const MessageHeaders& headers) {
    REQUIRE(headers.date);
    return std::chrono::duration_cast<std::chrono::seconds>(headers.date->time_since_epoch())
        .count();
}

}  // namespace

TEST_CASE("Headers are decoded to UTF-8, with LF and with CRLF") {
    const std::string lf =
        "Received: from x\n"
        "Message-ID: <one@example.org>\n"
        "Date: Sun, 1 Mar 2026 15:05:09 +0100\n"
        "From: =?iso-8859-1?Q?J=FCrgen?= <jo@example.org>\n"
        "SUBJECT: =?utf-8?B?R3LDvMOfZQ==?=\n =?utf-8?Q?_aus_Wien?=\n"
        "\n"
        "Subject: not this one\n";
    std::string crlf;
    for (const char c : lf) {
        crlf += c == '\n' ? "\r\n" : std::string(1, c);
    }
    for (const auto& text : {lf, crlf}) {
        const auto headers = read(text);
        REQUIRE(headers.message_id == "<one@example.org>");
        REQUIRE(headers.subject == "Grüße aus Wien");
        REQUIRE(headers.from == "Jürgen <jo@example.org>");
        REQUIRE(seconds(headers) == 1772373909);
    }
}

TEST_CASE("Of a header that is there twice the first one counts") {
    REQUIRE(read("Subject: first\nSubject: second\n\n").subject == "first");
}

TEST_CASE("Nothing is read beyond the header block") {
    const auto headers =
        read("From: a@example.org\n\nSubject: body\nDate: 1 Mar 2026 00:00 +0000\n");
    REQUIRE(headers.from == "a@example.org");
    REQUIRE(headers.subject.empty());
    REQUIRE_FALSE(headers.date);
}

TEST_CASE("A message cut off anywhere gives no error and clean values") {
    const std::string text =
        "From: =?utf-8?B?5pel5pys6Kqe?= <a@example.org>\r\nSubject: 日本語 =?utf-8?Q?=E6=97?=\r\n"
        "Message-ID:\r\n <long.id@example.org>\r\nDate: Sun, 1 Mar 2026 15:05:09 +0100\r\n\r\nx";
    for (std::size_t size = 0; size <= text.size(); ++size) {
        require_clean(read(std::string_view(text).substr(0, size)));
    }
    REQUIRE(read(text).message_id == "<long.id@example.org>");
}

TEST_CASE("Control characters become spaces, and unencoded bytes become text") {
    using namespace std::string_literals;
    REQUIRE(read("Subject: a\0b\x1b[31mc\td\n\n"s).subject == "a b [31mc d");
    REQUIRE(read("Subject: =?utf-8?Q?a=0D=0AX-Evil:_b?=\n\n").subject == "a  X-Evil: b");
    const auto latin = read("Subject: caf\xE9\n\n").subject;
    REQUIRE(latin == "café");
}

TEST_CASE("A very long value is cut at a character") {
    std::string subject;
    while (subject.size() < 5000) {
        subject += "日本";
    }
    const auto cut = read("Subject: " + subject + "\n\n").subject;
    REQUIRE(cut.size() > kMaxHeaderValue - 3);
    require_clean(cut);
    REQUIRE(subject.starts_with(cut));
}

TEST_CASE("Hostile headers stay cheap") {
    const auto started = std::chrono::steady_clock::now();
    for (const auto& piece : {"a@b,", "(", "\"", "=?utf-8?Q?", "<", "x:", "=?utf-8?B?AAAA?= "}) {
        std::string from = "From: ";
        while (from.size() < 250'000) {
            from += piece;
        }
        require_clean(read(from + "\n\n"));
        require_clean(read("Subject" + from.substr(4) + "\n\n"));
    }
    REQUIRE(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
}

TEST_CASE("Headers can be read by several threads at a time") {
    std::vector<std::jthread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&wrong] {
            for (int i = 0; i < 2000; ++i) {
                const auto headers = read(
                    "From: =?koi8-r?B?8NLJ18XU?= <a@example.org>\nDate: 1 Mar 2026 00:00 +0100\n"
                    "Subject: =?shift_jis?B?k/qWew==?=\n\n");
                if (headers.from != "Привет <a@example.org>" || headers.subject != "日本") {
                    ++wrong;
                }
            }
        });
    }
    threads.clear();
    REQUIRE(wrong == 0);
}

TEST_CASE("Every message of the corpus gives clean values") {
    const char* const corpus = std::getenv("OPENARCHIVER_TEST_CORPUS");
    if (corpus == nullptr) {
        WARN("skipped: OPENARCHIVER_TEST_CORPUS does not name a folder of messages");
        return;
    }
    std::size_t messages = 0;
    std::size_t subjects = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        std::string text(256U << 10, '\0');
        file.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(file.gcount()));
        INFO(entry.path());
        const auto headers = read(text);
        require_clean(headers);
        ++messages;
        subjects += headers.subject.empty() ? 0 : 1;
    }
    REQUIRE(messages > 0);
    REQUIRE(subjects > 0);
}
