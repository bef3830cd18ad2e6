#include "export/mbox.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <string_view>

using namespace openarchiver::exporter;
namespace sdk = openarchiver::sdk;

namespace {

class TextSink final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }

    std::string text;
};

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// In pieces of `step` bytes.
std::string quoted(std::string_view message, std::size_t step) {
    TextSink sink;
    MboxQuoter quoter(sink);
    for (std::size_t at = 0; at < message.size(); at += step) {
        REQUIRE(quoter.write(bytes_of(message.substr(at, step))));
    }
    REQUIRE(quoter.finish());
    return sink.text;
}

struct Unquoted {
    std::string message;
    std::string rest;
};

Unquoted unquoted(std::string_view text, std::size_t size, std::size_t step) {
    TextSink sink;
    MboxUnquoter unquoter(sink, size);
    std::size_t at = 0;
    while (!unquoter.complete()) {
        REQUIRE(at < text.size());
        const auto taken = unquoter.feed(bytes_of(text.substr(at, step)));
        REQUIRE(taken);
        at += *taken;
    }
    return {sink.text, std::string(text.substr(at))};
}

}  // namespace

TEST_CASE("Lines that look like a beginning are quoted once more, others not") {
    REQUIRE(quoted("From me\n>From you\n>>From all\nFrom\n> From\nfrom x\n", 1000) ==
            ">From me\n>>From you\n>>>From all\nFrom\n> From\nfrom x\n\n");
    REQUIRE(quoted("no line end", 1000) == "no line end\n\n");
    REQUIRE(quoted("", 1000) == "\n");
    REQUIRE(quoted("a\r\nFrom b\r\n", 1000) == "a\r\n>From b\r\n\n");
}

TEST_CASE("Every message comes back exactly from its mbox form, however it is cut into pieces") {
    static const std::vector<std::string> kPieces = {"From ",   "From", ">",     ">>", "F",
                                                     "Fro",     "\n",   "\r\n",  " ",  "x",
                                                     "From \n", "\n\n", ">From "};
    std::mt19937 random(42);
    std::uniform_int_distribution<std::size_t> length(0, 9);
    std::uniform_int_distribution<std::size_t> piece(0, kPieces.size() - 1);
    std::uniform_int_distribution<std::size_t> steps(1, 7);
    for (int i = 0; i < 20000; ++i) {
        std::string message;
        for (std::size_t n = length(random); n > 0; --n) {
            message += kPieces[piece(random)];
        }
        const std::string text = quoted(message, steps(random));
        CAPTURE(message, text);
        REQUIRE(text == quoted(message, 1000));
        // No line of it begins a message.
        REQUIRE(!text.starts_with("From "));
        REQUIRE(text.find("\nFrom ") == std::string::npos);
        const auto back = unquoted(text, message.size(), steps(random));
        REQUIRE(back.message == message);
        REQUIRE(back.rest == (message.empty() || message.back() == '\n' ? "\n" : "\n\n"));
    }
}

TEST_CASE("The line before a message has a sender that can stand there and a time in UTC") {
    const sdk::Timestamp time(std::chrono::milliseconds(1772374509120));
    REQUIRE(mbox_from_line("Jo <jo@example.org>", time) ==
            "From jo@example.org Sun Mar  1 14:15:09 2026\n");
    REQUIRE(mbox_from_line("jo@example.org", time).starts_with("From jo@example.org Sun"));
    for (const char* from : {"", "nobody", "a b@example.org", "Jo <jo@exämple.org>", "x <>"}) {
        INFO(from);
        REQUIRE(mbox_from_line(from, time).starts_with("From MAILER-DAEMON Sun"));
    }
}
