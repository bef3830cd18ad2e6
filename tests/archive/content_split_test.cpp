#include "archive/content_split.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "archive/base64.hpp"
#include "archive/composition.hpp"
#include "support.hpp"

using namespace openarchiver;

namespace {

std::string encoded(const std::string& bytes, std::size_t width, const std::string& line_end) {
    std::vector<std::byte> text(archive::base64_size(bytes.size()));
    archive::encode_base64(std::as_bytes(std::span(bytes)), text);
    std::string lines;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (width != 0 && i != 0 && i % width == 0) {
            lines += line_end;
        }
        lines += static_cast<char>(text[i]);
    }
    return lines;
}

std::string bytes_of(archive::Spool& spool) {
    REQUIRE(spool.rewind());
    std::string bytes(static_cast<std::size_t>(spool.size()), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto got = spool.read(std::as_writable_bytes(std::span(bytes)).subspan(filled));
        REQUIRE(got);
        REQUIRE(*got > 0);
        filled += *got;
    }
    return bytes;
}

struct Split {
    bool composed = false;
    std::string stored;
    std::vector<std::string> parts;
    std::string again;
};

/// Splits, and makes the content again as a reader does, in pieces of odd sizes.
Split split(const std::string& content) {
    const test::TemporaryFolder folder;
    archive::Spool spool(folder.path, 256U << 10);
    REQUIRE(spool.write(std::as_bytes(std::span(content))));
    auto result = archive::split_content(std::move(spool), folder.path);
    INFO((result ? "" : result.error().message));
    REQUIRE(result);
    Split split{
        .composed = result->composed, .stored = bytes_of(result->stored), .parts = {}, .again = {}};
    std::string rest = bytes_of(result->part_bytes);
    for (const auto& part : result->parts) {
        split.parts.push_back(rest.substr(0, static_cast<std::size_t>(part.size)));
        rest.erase(0, static_cast<std::size_t>(part.size));
        CHECK(archive::sha256(split.parts.back()) == part.id);
        CHECK(part.size >= archive::kPartSize);
    }
    CHECK(rest.empty());
    if (!split.composed) {
        split.again = split.stored;
        return split;
    }
    test::StringSink sink;
    archive::Composer composer(
        sink, [&](std::size_t index, std::uint64_t size, sdk::ByteSink& target) -> sdk::Status {
            REQUIRE(index < split.parts.size());
            CHECK(split.parts[index].size() == size);
            const auto bytes = std::as_bytes(std::span(split.parts[index]));
            for (std::size_t i = 0; i < bytes.size(); i += 1000) {
                OPENARCHIVER_CHECK(
                    target.write(bytes.subspan(i, std::min<std::size_t>(1000, bytes.size() - i))));
            }
            return {};
        });
    const auto stored = std::as_bytes(std::span(split.stored));
    for (std::size_t i = 0; i < stored.size(); i += 7) {
        REQUIRE(composer.write(stored.subspan(i, std::min<std::size_t>(7, stored.size() - i))));
    }
    REQUIRE(composer.finish());
    split.again = std::move(sink.text);
    return split;
}

const std::string kHead =
    "From: a@contoso.example\r\nSubject: with an attachment\r\n\r\nsome text\r\n--x\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\n";

}  // namespace

TEST_CASE("An attachment is the same part, however its lines were laid out") {
    const std::string file = test::noise(40'001, 1);
    for (const std::size_t width : {76U, 72U, 64U, 60U, 32U, 1000U, 4096U, 0U}) {
        for (const std::string line_end : {"\r\n", "\n"}) {
            const std::string content = kHead + encoded(file, width, line_end) + "\r\n--x--\r\n";
            const Split found = split(content);
            INFO(width);
            REQUIRE(found.parts.size() == 1);
            CHECK(found.parts[0] == file);
            CHECK(found.stored.size() < 400);
            CHECK(found.again == content);
        }
    }
}

TEST_CASE("Attachments of every size around what bounds a part come back") {
    for (std::size_t size = 1; size < 9000; size += size < 300 ? 1 : 97) {
        const std::string content = kHead + encoded(test::noise(size, 3), 76, "\r\n") + "\r\n--x--";
        const Split found = split(content);
        INFO(size);
        CHECK(found.again == content);
        CHECK(found.parts.size() == (size >= archive::kPartSize ? 1 : 0));
        CHECK(found.composed == (size >= 192));
    }
}

TEST_CASE("A large attachment is found across the window, in bounded memory") {
    const std::string file = test::noise(3'000'000, 5);
    for (const std::size_t width : {76U, 0U}) {
        const std::string content =
            kHead + test::prose(500'000, 2) + "\n" + encoded(file, width, "\r\n") + "\r\n--x\r\n" +
            test::prose(300'000, 3) + "\n" + encoded(file.substr(5), width, "\n");
        const Split found = split(content);
        REQUIRE(found.parts.size() == 2);
        CHECK(found.parts[0] == file);
        CHECK(found.parts[1] == file.substr(5));
        CHECK(found.again == content);
    }
}

TEST_CASE("What is not canonical base64 stays as it came") {
    const std::string lines = encoded(test::noise(600, 1), 76, "\r\n");
    const auto changed = [&](std::size_t at, const std::string& by) {
        std::string text = lines;
        text.replace(at, by.size(), by);
        return kHead + text + "\r\n";
    };
    for (const std::string& content :
         {changed(100, "!"), changed(100, "="), changed(76, "\n\n"), changed(76, " \n"),
          kHead + encoded(std::string(601, 'a'), 76, "\r\n").insert(811, "\t"),
          kHead + "YW\r\n" + lines, kHead + lines + "YWI", kHead + lines + "YWJ=\r\n",
          kHead + lines + "\r\n" + lines, kHead + lines.substr(0, 333), lines, std::string(),
          std::string("\n"), std::string("\r"), std::string(500, '='), std::string(5000, 'A'),
          std::string(5001, 'A'), std::string(100'000, '\n')}) {
        CHECK(split(content).again == content);
    }
}

TEST_CASE("A line of other width before an attachment does not change its part") {
    const std::string file = test::noise(20'000, 1);
    const std::string content =
        "0123456789abcdef0123456789abcdef01234567\n" + encoded(file, 76, "\n") + "\n";
    const Split found = split(content);
    REQUIRE(found.parts.size() == 1);
    CHECK(found.parts[0] == file);
}

TEST_CASE("An attachment is the same part also where its lines are uneven") {
    const std::string file = test::noise(20'000, 1);
    const std::string text = encoded(file, 0, "");
    const auto in_lines = [&](const std::vector<std::size_t>& widths,
                              const std::vector<std::string>& ends) {
        std::string lines;
        std::size_t line = 0;
        for (std::size_t at = 0; at < text.size(); ++line) {
            const std::size_t width = widths[line % widths.size()];
            lines += text.substr(at, width) + ends[line % ends.size()];
            at += width;
        }
        return kHead + lines + "\r\n--boundary--\r\n";
    };
    for (const std::string& content :
         {in_lines({76, 72}, {"\r\n"}), in_lines({74}, {"\r\n"}), in_lines({75, 33, 61}, {"\n"}),
          in_lines({76}, {"\r\n", "\n"}), in_lines({76}, {"\r\n", "\r\n", "\r\n\r\n"}),
          in_lines({997}, {"\n"}), in_lines({20'001}, {"\r\n"}),
          // Broken once, in the middle, and even again.
          kHead + encoded(file, 76, "\n").insert(7000, "\n") + "\n",
          kHead + encoded(file, 76, "\n").insert(7007, "\r\n") + "\n"}) {
        const Split found = split(content);
        INFO(content.substr(kHead.size(), 300));
        CHECK((found.again == content));
        REQUIRE(found.parts.size() == 1);
        CHECK((found.parts[0] == file));
        CHECK(found.stored.size() < 6'000);
    }
}

TEST_CASE("Lines of which no two are alike cost less than what decoding saves") {
    const std::string file = test::noise(3'000'000, 1);
    const std::string text = encoded(file, 0, "");
    std::string content = kHead;
    std::size_t width = 60;
    for (std::size_t at = 0; at < text.size(); at += width) {
        width = width == 99 ? 60 : width + 1;
        content += text.substr(at, width) + "\r\n";
    }
    const Split found = split(content);
    CHECK((found.again == content));
    std::size_t size = found.stored.size();
    for (const auto& part : found.parts) {
        size += part.size();
    }
    CHECK(size < content.size() * 9 / 10);
}

TEST_CASE("Whatever happens to a message, it comes back bit for bit") {
    std::mt19937 random(20260101);
    const auto below = [&](std::size_t end) {
        return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
    };
    constexpr std::array<std::string_view, 12> kPieces{
        "\n",       "\r\n", "\r", "=", "==", "A", "AAAA", " ", "\t", std::string_view("\0", 1),
        "\r\n\r\n", "-"};
    for (int round = 0; round < 3000; ++round) {
        std::string content = kHead;
        for (std::size_t piece = below(4) + 1; piece > 0; --piece) {
            constexpr std::array<std::size_t, 8> kWidths{76, 72, 64, 36, 4, 0, 74, 61};
            content += encoded(test::noise(below(9000), static_cast<std::uint32_t>(random())),
                               kWidths[below(8)], below(2) == 0 ? "\r\n" : "\n");
            content += kPieces[below(kPieces.size())];
        }
        for (std::size_t change = below(12); change > 0 && !content.empty(); --change) {
            const std::size_t at = below(content.size());
            switch (below(3)) {
                case 0:
                    content[at] = static_cast<char>(random());
                    break;
                case 1:
                    content.erase(at, below(90));
                    break;
                default:
                    content.insert(at, kPieces[below(kPieces.size())]);
            }
        }
        INFO(round);
        REQUIRE(split(content).again == content);
    }
}

TEST_CASE("A composition that is cut off or changed is an error, not another content") {
    const std::string content = kHead + encoded(test::noise(600, 1), 76, "\r\n") + "\r\n";
    const std::string stored = split(content).stored;
    for (std::size_t size = 1; size < stored.size(); ++size) {
        test::StringSink sink;
        archive::Composer composer(sink, nullptr);
        const auto written = composer.write(std::as_bytes(std::span(stored)).first(size));
        // It may only end well between two records.
        if (written && composer.finish()) {
            CHECK(content.starts_with(sink.text));
        }
    }
    for (const std::size_t at : {std::size_t{0}, std::size_t{1}}) {
        std::string changed = stored;
        changed[at] = '\x7f';
        test::StringSink sink;
        archive::Composer composer(sink, nullptr);
        CHECK_FALSE(composer.write(std::as_bytes(std::span(changed))));
    }
}

TEST_CASE("Real mail, odd and broken, comes back bit for bit") {
    const char* const folder = std::getenv("OPENARCHIVER_TEST_CORPUS");
    if (folder == nullptr) {
        WARN("skipped: OPENARCHIVER_TEST_CORPUS names no folder of mail");
        return;
    }
    std::size_t messages = 0;
    std::size_t composed = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file() || entry.file_size() > 20'000'000) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        const std::string content{std::istreambuf_iterator<char>(file), {}};
        const Split found = split(content);
        ++messages;
        composed += found.composed ? 1 : 0;
        if (found.again != content) {
            FAIL_CHECK(entry.path());
        }
    }
    INFO(messages << " messages, " << composed << " composed");
    CHECK(messages > 0);
}
