#include <catch2/catch.hpp>

#include "pack_fixture.hpp"

using namespace openarchiver;
using archive::AccountKey;
using archive::Keyring;
using archive::PackInfo;
using archive::PackReader;
using archive::PackWriter;
using test::Packed;

namespace {

struct Fixture {
    explicit Fixture(bool encrypted) : keyring(Keyring::create(encrypted)) {}

    PackInfo pack(std::initializer_list<std::pair<std::string, std::string>> contents_of) {
        for (const auto& [account, bytes] : contents_of) {
            auto packed = test::add(writer, keyring.account_key("s", account), bytes);
            REQUIRE(packed);
            added.push_back(*std::move(packed));
        }
        const auto pack = writer.finish(store, {});
        REQUIRE(pack);
        return *pack;
    }

    std::string& object(const PackInfo& pack) {
        return contents.objects.at(archive::pack_key(pack.id));
    }

    // Nothing is read from memory.
    sdk::Status read(const PackInfo& pack, const Packed& content, std::string& text) {
        PackReader reader(store, keyring);
        return test::read_back(reader, pack, content, text);
    }

    sdk::Status verify(const PackInfo& pack) {
        PackReader reader(store, keyring);
        return reader.verify(pack, {});
    }

    test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store{contents};
    Keyring keyring;
    PackWriter writer{folder.path};
    std::vector<Packed> added;
};

}  // namespace

TEST_CASE("Any flipped bit of a pack is noticed") {
    Fixture fixture(GENERATE(true, false));
    const PackInfo pack =
        fixture.pack({{"a", test::prose(400, 1)}, {"b", test::noise(90, 2)}, {"a", "short"}});
    const std::string intact = fixture.object(pack);
    for (std::size_t bit = 0; bit < intact.size() * 8; ++bit) {
        INFO("bit " << bit % 8 << " of byte " << bit / 8);
        fixture.object(pack)[bit / 8] = static_cast<char>(intact[bit / 8] ^ (1 << (bit % 8)));
        const auto verified = fixture.verify(pack);
        REQUIRE_FALSE(verified);
        REQUIRE(verified.error().code == sdk::Errc::corrupt);
        for (const Packed& content : fixture.added) {
            std::string text;
            const auto read = fixture.read(pack, content, text);
            const archive::Frame& frame = pack.frames[content.placement.frame];
            const bool hit = bit / 8 >= frame.offset && bit / 8 < frame.offset + frame.stored_size;
            if (!hit) {
                REQUIRE(read);
            } else if (read) {
                // Without encryption a content is checked, not its neighbours in the frame.
                REQUIRE_FALSE(fixture.keyring.archive_key().key);
                REQUIRE(text == content.bytes);
            } else {
                REQUIRE((read.error().code == sdk::Errc::corrupt ||
                         read.error().code == sdk::Errc::unsupported));
            }
        }
        fixture.object(pack) = intact;
    }
    CHECK(fixture.verify(pack));
}

TEST_CASE("Any cut of a pack, and anything behind its end, is noticed") {
    Fixture fixture(GENERATE(true, false));
    const PackInfo pack = fixture.pack({{"a", test::prose(400, 1)}, {"b", test::noise(90, 2)}});
    const std::string intact = fixture.object(pack);
    for (std::size_t size = 0; size < intact.size(); ++size) {
        fixture.object(pack) = intact.substr(0, size);
        INFO(size << " bytes");
        REQUIRE(fixture.verify(pack).error().code == sdk::Errc::corrupt);
        for (const Packed& content : fixture.added) {
            const archive::Frame& frame = pack.frames[content.placement.frame];
            std::string text;
            REQUIRE(fixture.read(pack, content, text).has_value() ==
                    (size >= frame.offset + frame.stored_size));
        }
    }
    fixture.object(pack) = intact + "x";
    CHECK(fixture.verify(pack).error().code == sdk::Errc::corrupt);
}

TEST_CASE("Exchanged packs are noticed") {
    Fixture fixture(GENERATE(true, false));
    const PackInfo one = fixture.pack({{"a", test::noise(300, 1)}});
    const PackInfo two = fixture.pack({{"a", test::noise(300, 2)}});
    REQUIRE(one.size == two.size);
    std::swap(fixture.object(one), fixture.object(two));
    CHECK(fixture.verify(one).error().code == sdk::Errc::corrupt);
    std::string text;
    CHECK(fixture.read(one, fixture.added[0], text).error().code == sdk::Errc::corrupt);
    CHECK(fixture.read(two, fixture.added[1], text).error().code == sdk::Errc::corrupt);
}

TEST_CASE("Exchanged frames are noticed") {
    Fixture fixture(GENERATE(true, false));
    const PackInfo pack = fixture.pack({{"a", test::noise(300, 1)}, {"b", test::noise(300, 2)}});
    const archive::Frame& a = pack.frames[0];
    const archive::Frame& b = pack.frames[1];
    REQUIRE(a.stored_size == b.stored_size);
    std::string& object = fixture.object(pack);
    std::swap_ranges(object.begin() + static_cast<std::ptrdiff_t>(a.offset),
                     object.begin() + static_cast<std::ptrdiff_t>(a.offset + a.stored_size),
                     object.begin() + static_cast<std::ptrdiff_t>(b.offset));
    CHECK(fixture.verify(pack).error().code == sdk::Errc::corrupt);
    std::string text;
    for (const Packed& content : fixture.added) {
        const auto read = fixture.read(pack, content, text);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == sdk::Errc::corrupt);
        CHECK(text.empty());
        CHECK(read.error().message.find(archive::pack_key(pack.id)) != std::string::npos);
        CHECK(read.error().message.find("frame") != std::string::npos);
    }
}

TEST_CASE("A plain frame in an encrypted archive is refused") {
    Fixture fixture(true);
    PackInfo pack = fixture.pack({{"a", test::noise(300, 1)}});
    // What somebody without the key can make: the same frame, unencrypted, and a new name.
    std::string& object = fixture.object(pack);
    object[16 + 5] = 0;
    for (std::size_t i = 24; i < 52; ++i) {
        object[16 + i] = 0;
    }
    const auto payload = static_cast<unsigned>(pack.frames[0].raw_size);
    object[16 + 56] = static_cast<char>(payload & 0xFFU);
    object[16 + 57] = static_cast<char>(payload >> 8U);
    object.resize(object.size() - 16);
    pack.frames[0].stored_size -= 16;
    pack.size -= 16;
    std::string text;
    const auto read = fixture.read(pack, fixture.added[0], text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == sdk::Errc::corrupt);
    CHECK(read.error().message.find("not encrypted") != std::string::npos);
}

TEST_CASE("A log that describes a pack wrongly is noticed, whatever it says") {
    Fixture fixture(true);
    const PackInfo pack = fixture.pack({{"a", test::prose(400, 1)}, {"b", test::noise(90, 2)}});
    const Packed& content = fixture.added[0];
    std::string text;
    const auto expect_corrupt = [&](const PackInfo& wrong, const Packed& packed) {
        const auto read = fixture.read(wrong, packed, text);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == sdk::Errc::corrupt);
    };
    const auto expect_unverified = [&](const PackInfo& wrong) {
        const auto verified = fixture.verify(wrong);
        REQUIRE_FALSE(verified);
        CHECK(verified.error().code == sdk::Errc::corrupt);
    };
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40U,
                                      ~std::uint64_t{0}, pack.size}) {
        INFO("value " << value);
        PackInfo wrong = pack;
        wrong.frames[0].offset = value;
        expect_corrupt(wrong, content);
        expect_unverified(wrong);
        wrong = pack;
        wrong.frames[0].stored_size = value;
        expect_corrupt(wrong, content);
        expect_unverified(wrong);
        wrong = pack;
        wrong.frames[0].raw_size = value;
        expect_corrupt(wrong, content);
        expect_unverified(wrong);
        Packed misplaced = content;
        misplaced.placement.offset = std::max<std::uint64_t>(value, 1);
        expect_corrupt(pack, misplaced);
        misplaced = content;
        misplaced.placement.frame = std::max(static_cast<std::uint32_t>(value), 1U);
        expect_corrupt(pack, misplaced);
    }
    PackInfo wrong = pack;
    wrong.frames.pop_back();
    expect_unverified(wrong);
    Packed misplaced = content;
    misplaced.digest = archive::sha256("something else");
    expect_corrupt(pack, misplaced);
}
