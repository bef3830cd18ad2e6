#include "archive/base64.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "archive/base64_blocks.hpp"
#include "support.hpp"

using namespace openarchiver;

namespace {

std::string encoded(const std::string& bytes) {
    std::vector<std::byte> text(archive::base64_size(bytes.size()));
    archive::encode_base64(std::as_bytes(std::span(bytes)), text);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
}

std::string decoded(const std::string& text) {
    std::vector<std::byte> bytes(text.size());
    const std::size_t size = archive::decode_base64(std::as_bytes(std::span(text)), bytes);
    return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string decoded_end(const std::string& text) {
    std::array<std::byte, 2> bytes{};
    const std::size_t size = archive::decode_base64_end(std::as_bytes(std::span(text)), bytes);
    return {reinterpret_cast<const char*>(bytes.data()), size};
}

}  // namespace

// RFC 4648, section 10
TEST_CASE("base64 is that of RFC 4648") {
    CHECK(encoded("").empty());
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foobar") == "Zm9vYmFy");
    CHECK(decoded("Zm9vYmFy") == "foobar");
    CHECK(decoded_end("Zg==") == "f");
    CHECK(decoded_end("Zm8=") == "fo");
}

TEST_CASE("Whatever decodes, encodes again to the same characters") {
    for (const std::string text : {"Zh==", "Zm9=", "Zg=v", "Z===", "====", "Zm8", "Zg-=", ""}) {
        INFO(text);
        CHECK(decoded_end(text).empty());
    }
    CHECK(decoded("Zm9v YmF").size() == 3);
    CHECK(decoded("Zm9vYg==").size() == 3);
    CHECK(decoded("Zm9v-_-_").size() == 3);
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string bytes = test::noise(size, static_cast<std::uint32_t>(size));
        const std::string text = encoded(bytes);
        std::string back = decoded(text);
        back += size % 3 == 0 ? "" : decoded_end(text.substr(text.size() - 4));
        CHECK(back == bytes);
    }
}

TEST_CASE("Decoding ends before the first character that is none, wherever it is") {
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::string text = alphabet + alphabet;
    const std::string bytes = decoded(text);
    REQUIRE(bytes.size() == text.size() / 4 * 3);
    CHECK(encoded(bytes) == text);
    for (std::size_t at = 0; at < 80; ++at) {
        for (int character = 0; character < 256; ++character) {
            std::string changed = text;
            changed[at] = static_cast<char>(character);
            const std::string back = decoded(changed);
            if (alphabet.find(changed[at]) == std::string::npos) {
                REQUIRE(back == bytes.substr(0, at / 4 * 3));
            } else {
                REQUIRE(encoded(back) == changed);
            }
        }
    }
}

TEST_CASE("Every way that this processor has to do it agrees with the others") {
    for (const auto& blocks : archive::base64_blocks()) {
        INFO(blocks.name);
        for (std::size_t size = 0; size < 300; ++size) {
            const std::string bytes = test::noise(size, static_cast<std::uint32_t>(size));
            const std::string text = encoded(bytes);
            std::vector<std::byte> room(text.size() + 4);
            const std::size_t taken =
                blocks.encode(std::as_bytes(std::span(bytes)), std::span(room).first(text.size()));
            REQUIRE(taken % 3 == 0);
            REQUIRE(taken + 16 > size);
            REQUIRE(std::string(reinterpret_cast<const char*>(room.data()), taken / 3 * 4) ==
                    text.substr(0, taken / 3 * 4));
            const std::size_t made =
                blocks.decode(std::as_bytes(std::span(text)).first(size / 3 * 4), room);
            REQUIRE(made % 3 == 0);
            REQUIRE(made + 18 > size);
            REQUIRE(std::string(reinterpret_cast<const char*>(room.data()), made) ==
                    bytes.substr(0, made));
        }
    }
}
