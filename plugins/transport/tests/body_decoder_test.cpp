#include "http/body_decoder.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace openarchiver::http {
namespace {

struct Decoded {
    std::string content;
    bool failed = false;
};

/// Feeds `wire` in pieces of `piece` bytes and reads into a buffer of `room` bytes.
Decoded decode(BodyDecoder& decoder, std::string_view wire, std::size_t piece, std::size_t room) {
    Decoded result;
    std::vector<std::byte> output(room);
    while (!wire.empty() && !decoder.complete()) {
        std::string_view part = wire.substr(0, piece);
        wire.remove_prefix(part.size());
        while (!part.empty() && !decoder.complete()) {
            const auto step =
                decoder.decode(std::as_bytes(std::span(part.data(), part.size())), output);
            if (!step) {
                result.failed = true;
                return result;
            }
            result.content.append(reinterpret_cast<const char*>(output.data()), step->produced);
            part.remove_prefix(step->consumed);
        }
    }
    return result;
}

const std::vector<std::string> kLayouts = {
    "5\r\nhello\r\n0\r\n\r\n",
    "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n",
    "3;name=value\r\nhel\r\n2;x=\"a;b\"\r\nlo\r\n0;last\r\n\r\n",
    "0005\r\nhello\r\n000\r\nExpires: never\r\nX-Checksum: 1\r\n\r\n",
    "5  \r\nhello\r\n0\r\n\r\n",
};

TEST_CASE("a chunked body is decoded however it arrives in pieces", "[unit]") {
    for (const std::string& layout : kLayouts) {
        for (std::size_t piece = 1; piece <= layout.size(); ++piece) {
            for (const std::size_t room : {1U, 2U, 64U}) {
                BodyDecoder decoder = BodyDecoder::chunked();
                const Decoded decoded = decode(decoder, layout, piece, room);
                CHECK_FALSE(decoded.failed);
                CHECK(decoded.content == "hello");
                CHECK(decoder.complete());
            }
        }
    }
}

TEST_CASE("a chunked body that is cut at any byte is not complete", "[unit]") {
    for (const std::string& layout : kLayouts) {
        for (std::size_t cut = 0; cut < layout.size(); ++cut) {
            BodyDecoder decoder = BodyDecoder::chunked();
            const Decoded decoded = decode(decoder, layout.substr(0, cut), 4096, 64);
            CHECK_FALSE(decoded.failed);
            CHECK_FALSE(decoder.complete());
        }
    }
}

TEST_CASE("a body of known length is complete at that length and not before", "[unit]") {
    for (std::size_t cut = 0; cut <= 5; ++cut) {
        BodyDecoder decoder = BodyDecoder::with_length(5);
        const Decoded decoded = decode(decoder, std::string("hello").substr(0, cut), 2, 3);
        CHECK(decoder.complete() == (cut == 5));
        CHECK(decoded.content.size() == cut);
    }
    CHECK(BodyDecoder::with_length(0).complete());
}

TEST_CASE("a body without a length is never complete", "[unit]") {
    BodyDecoder decoder = BodyDecoder::until_close();
    CHECK(decode(decoder, "hello", 2, 64).content == "hello");
    CHECK_FALSE(decoder.complete());
}

TEST_CASE("damaged chunk framing is an error, not an end", "[unit]") {
    for (const std::string wire :
         {"\r\nhello", "x\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\rX",
          "5\r\nhello\r\n0\r\n\rX", "5\r\nhello\r\n0\r\nA: b\nX", "ffffffffffffffff\r\n",
          "-5\r\nhello\r\n0\r\n\r\n"}) {
        BodyDecoder decoder = BodyDecoder::chunked();
        CHECK(decode(decoder, wire, 4096, 64).failed);
        CHECK_FALSE(decoder.complete());
    }
}

TEST_CASE("endless extensions and trailers are refused", "[unit]") {
    BodyDecoder extensions = BodyDecoder::chunked();
    CHECK(decode(extensions, "5;" + std::string(20'000, 'x'), 1000, 64).failed);
    std::string trailers = "0\r\n";
    for (int i = 0; i < 2000; ++i) {
        trailers += "X-Trailer: value\r\n";
    }
    BodyDecoder decoder = BodyDecoder::chunked();
    CHECK(decode(decoder, trailers, 1000, 64).failed);
}

}  // namespace
}  // namespace openarchiver::http
