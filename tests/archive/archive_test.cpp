#include "archive/archive.hpp"

#include <catch2/catch.hpp>

#include "memory_store.hpp"
#include "support.hpp"

using namespace openarchiver;
using archive::Archive;

namespace {

sdk::Result<std::unique_ptr<Archive>> create(test::StoreContents& contents,
                                             std::optional<archive::SecretKey> master) {
    return Archive::create(std::make_unique<test::MemoryStore>(contents), master, {},
                           test::at(1'700'000'000'000), {});
}

sdk::Result<std::unique_ptr<Archive>> open(test::StoreContents& contents,
                                           std::optional<archive::SecretKey> master) {
    return Archive::open(std::make_unique<test::MemoryStore>(contents), master, {});
}

bool mentions(const sdk::Error& error, std::string_view text) {
    return error.message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("A created archive opens again with its keys") {
    const bool encrypted = GENERATE(true, false);
    const auto master = encrypted ? std::optional(test::key_of(1)) : std::nullopt;
    test::StoreContents contents;
    CHECK(open(contents, master).error().code == sdk::Errc::not_found);

    auto created = create(contents, master);
    REQUIRE(created);
    const archive::AccountKey key = (*created)->keyring().account_key("s", "a");
    REQUIRE((*created)->save_keyring({}));
    const unsigned puts = contents.puts;
    REQUIRE((*created)->save_keyring({}));
    CHECK(contents.puts == puts);

    auto opened = open(contents, master);
    REQUIRE(opened);
    CHECK((*opened)->marker().encrypted == encrypted);
    CHECK((*opened)->marker().archive_id == (*created)->marker().archive_id);
    CHECK((*opened)->marker().created_at == test::at(1'700'000'000'000));
    REQUIRE((*opened)->keyring().find(key.id));
    CHECK((*opened)->keyring().find(key.id)->key == key.key);
    CHECK(create(contents, master).error().code == sdk::Errc::already_exists);
}

TEST_CASE("The master key has to be the archive's, and there has to be one exactly if encrypted") {
    test::StoreContents contents;
    SECTION("another key") {
        REQUIRE(create(contents, test::key_of(1)));
        const auto opened = open(contents, test::key_of(2));
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == sdk::Errc::unauthenticated);
        CHECK(mentions(opened.error(), archive::key_check_value(test::key_of(1))));
        CHECK(mentions(opened.error(), archive::key_check_value(test::key_of(2))));
    }
    SECTION("no key") {
        REQUIRE(create(contents, test::key_of(1)));
        CHECK(open(contents, std::nullopt).error().code == sdk::Errc::invalid_config);
    }
    SECTION("a key for nothing") {
        REQUIRE(create(contents, std::nullopt));
        CHECK(open(contents, test::key_of(1)).error().code == sdk::Errc::invalid_config);
    }
}

TEST_CASE("A store that holds something else is no place for an archive") {
    test::StoreContents contents;
    contents.objects["holiday.jpg"] = "...";
    const auto created = create(contents, test::key_of(1));
    REQUIRE_FALSE(created);
    CHECK(created.error().code == sdk::Errc::corrupt);
    CHECK(mentions(created.error(), "holds no archive"));
    CHECK(mentions(created.error(), "holiday.jpg"));
    CHECK(contents.objects.size() == 1);
}

TEST_CASE("A creation that was interrupted is made good by the next one") {
    test::StoreContents contents;
    contents.objects["lease"] = "{}";
    contents.before_put = [](std::string_view key) -> sdk::Status {
        if (key == "archive") {
            return sdk::Error{.code = sdk::Errc::unavailable, .message = "gone"};
        }
        return {};
    };
    REQUIRE_FALSE(create(contents, test::key_of(1)));
    CHECK(contents.objects.contains("keyring"));
    CHECK_FALSE(contents.objects.contains("archive"));
    contents.before_put = nullptr;
    REQUIRE(create(contents, test::key_of(1)));
    CHECK(open(contents, test::key_of(1)));
}

TEST_CASE("A marker whose answer was lost counts as written") {
    test::StoreContents contents;
    contents.after_put = [](std::string_view key) -> sdk::Status {
        if (key == "archive") {
            return sdk::Error{.code = sdk::Errc::timed_out, .message = "no answer"};
        }
        return {};
    };
    CHECK(create(contents, test::key_of(1)));
}

TEST_CASE("An archive of a newer format is left alone, naming both formats") {
    test::StoreContents contents;
    REQUIRE(create(contents, test::key_of(1)));
    std::string& marker = contents.objects["archive"];
    marker.replace(marker.find("\"format\":1"), 10, "\"format\":7");
    const auto opened = open(contents, test::key_of(1));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == sdk::Errc::unsupported);
    CHECK(mentions(opened.error(), "format 7"));
    CHECK(mentions(opened.error(), "format 1"));
}

TEST_CASE("Any flipped bit and any cut of a marker is noticed") {
    test::StoreContents contents;
    REQUIRE(create(contents, test::key_of(1)));
    const std::string marker = contents.objects["archive"];
    test::MemoryStore store(contents);
    for (std::size_t bit = 0; bit < marker.size() * 8; ++bit) {
        contents.objects["archive"][bit / 8] =
            static_cast<char>(marker[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit);
        REQUIRE_FALSE(Archive::read_marker(store, {}));
        contents.objects["archive"] = marker;
    }
    // The final line feed is for people.
    for (std::size_t size = 0; size + 1 < marker.size(); ++size) {
        contents.objects["archive"] = marker.substr(0, size);
        REQUIRE(Archive::read_marker(store, {}).error().code == sdk::Errc::corrupt);
    }
}

TEST_CASE("An archive whose keyring is gone says so") {
    test::StoreContents contents;
    REQUIRE(create(contents, test::key_of(1)));
    contents.objects.erase("keyring");
    const auto opened = open(contents, test::key_of(1));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == sdk::Errc::corrupt);
    CHECK(mentions(opened.error(), "keyring"));
}
