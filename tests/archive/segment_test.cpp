#include "archive/segment.hpp"

#include <catch2/catch.hpp>

#include "support.hpp"

using namespace openarchiver;
using archive::EventBlock;
using archive::Keyring;
using archive::Segment;

namespace {

constexpr std::string_view kWriter = "abcdefgh01234567";
constexpr std::size_t kHeader = 80;
constexpr std::size_t kBlockHeader = 64;

Segment make(Keyring& keyring, std::uint64_t sequence = 3) {
    return Segment{.writer = std::string(kWriter),
                   .sequence = sequence,
                   .previous = archive::sha256("before"),
                   .created_at = test::at(1'700'000'000'123),
                   .blocks = {{.key = keyring.account_key("s", "a"), .events = "one one\n"},
                              {.key = keyring.account_key("s", "a"), .events = "two two\n"}}};
}

std::string with_checksum(std::string object) {
    object.resize(object.size() - 32);
    const archive::Digest digest = archive::sha256(object);
    object.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    return object;
}

}  // namespace

TEST_CASE("A segment is read back as it was written") {
    const bool encrypted = GENERATE(true, false);
    Keyring keyring = Keyring::create(encrypted);
    Segment segment = make(keyring);
    segment.blocks.push_back({.key = keyring.archive_key(), .events = test::prose(300'000, 1)});
    segment.blocks.push_back({.key = keyring.account_key("s", "b"), .events = ""});
    const auto object = archive::encode_segment(segment);
    REQUIRE(object);
    CHECK((object->find("one one") == std::string::npos) == encrypted);
    const auto read = archive::decode_segment(*object, keyring);
    REQUIRE(read);
    CHECK(read->writer == kWriter);
    CHECK(read->sequence == 3);
    CHECK(read->previous == segment.previous);
    CHECK(read->created_at == segment.created_at);
    REQUIRE(read->blocks.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(read->blocks[i].events == segment.blocks[i].events);
        CHECK(read->blocks[i].key.id == segment.blocks[i].key.id);
        CHECK_FALSE(read->blocks[i].forgotten);
    }
}

TEST_CASE("Blocks of a forgotten account are marked, the others are read") {
    const bool encrypted = GENERATE(true, false);
    Keyring keyring = Keyring::create(encrypted);
    Segment segment = make(keyring);
    segment.blocks[1].key = keyring.account_key("s", "b");
    const std::string object = *archive::encode_segment(segment);
    REQUIRE(keyring.forget("s", "a"));
    const auto read = archive::decode_segment(object, keyring);
    REQUIRE(read);
    CHECK(read->blocks[0].forgotten);
    CHECK(read->blocks[0].events.empty());
    CHECK(read->blocks[1].events == "two two\n");
}

TEST_CASE("Any flipped bit and any cut of a segment is noticed") {
    const bool encrypted = GENERATE(true, false);
    Keyring keyring = Keyring::create(encrypted);
    Segment segment = make(keyring);
    segment.blocks.push_back({.key = keyring.archive_key(), .events = test::prose(500, 1)});
    const std::string object = *archive::encode_segment(segment);
    for (std::size_t bit = 0; bit < object.size() * 8; ++bit) {
        std::string flipped = object;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit);
        REQUIRE(archive::decode_segment(flipped, keyring).error().code == sdk::Errc::corrupt);
    }
    for (std::size_t size = 0; size < object.size(); ++size) {
        REQUIRE(archive::decode_segment(object.substr(0, size), keyring).error().code ==
                sdk::Errc::corrupt);
    }
}

TEST_CASE("A segment changed with its checksum set right is noticed when it is encrypted") {
    Keyring keyring = Keyring::create(true);
    const std::string object = *archive::encode_segment(make(keyring));
    for (std::size_t bit = 0; bit < (object.size() - 32) * 8; ++bit) {
        std::string changed = object;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit % 8 << " of byte " << bit / 8);
        const auto read = archive::decode_segment(with_checksum(changed), keyring);
        // A key id that nobody has looks like a forgotten account; its other block tells.
        if (read) {
            CHECK((read->blocks[0].forgotten != read->blocks[1].forgotten));
        }
    }
}

TEST_CASE("Blocks can't be exchanged, within a segment or between segments") {
    Keyring keyring = Keyring::create(true);
    const std::string object = *archive::encode_segment(make(keyring, 3));
    const std::string other = *archive::encode_segment(make(keyring, 4));
    const std::size_t size = (object.size() - 32 - kHeader) / 2;
    const auto block = [&](const std::string& from, std::size_t index) {
        return from.substr(kHeader + index * size, size);
    };
    const auto assemble = [&](const std::string& first, const std::string& second) {
        return with_checksum(object.substr(0, kHeader) + first + second + std::string(32, '\0'));
    };
    REQUIRE(archive::decode_segment(assemble(block(object, 0), block(object, 1)), keyring));

    CHECK_FALSE(archive::decode_segment(assemble(block(object, 1), block(object, 0)), keyring));
    CHECK_FALSE(archive::decode_segment(assemble(block(other, 0), block(object, 1)), keyring));
    CHECK_FALSE(archive::decode_segment(assemble(block(object, 0), block(object, 0)), keyring));
    SECTION("with their numbers set right") {
        std::string first = block(object, 1);
        std::string second = block(object, 0);
        first[4] = 0;
        second[4] = 1;
        const auto read = archive::decode_segment(assemble(first, second), keyring);
        REQUIRE_FALSE(read);
        CHECK(read.error().message.find("authenticate") != std::string::npos);
    }
    SECTION("as plain text") {
        std::string plain = block(object, 0);
        plain[0] = 0;
        plain[56] = static_cast<char>(plain[56] - 16);
        plain.resize(plain.size() - 16);
        const auto read = archive::decode_segment(assemble(plain, block(object, 1)), keyring);
        REQUIRE_FALSE(read);
        CHECK(read.error().message.find("not encrypted") != std::string::npos);
    }
    static_assert(kBlockHeader == 64);
}

TEST_CASE("What is no segment is not encoded") {
    Keyring keyring = Keyring::create(true);
    Segment segment = make(keyring);
    SECTION("a writer of another shape") {
        segment.writer = "Writer";
    }
    SECTION("number 0") {
        segment.sequence = 0;
    }
    SECTION("no blocks") {
        segment.blocks.clear();
    }
    CHECK(archive::encode_segment(segment).error().code == sdk::Errc::invalid_argument);
}

TEST_CASE("Keys of segments sort as their numbers do") {
    CHECK(archive::segment_key(kWriter, 1) == "log/abcdefgh01234567/00000000000000000001");
    CHECK(archive::segment_key(kWriter, 9) < archive::segment_key(kWriter, 10));
    CHECK(archive::segment_key(kWriter, ~0ULL) == "log/abcdefgh01234567/18446744073709551615");
}
