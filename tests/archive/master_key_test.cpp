#include "archive/master_key.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "support.hpp"

using namespace openarchiver;
using archive::format_master_key;
using archive::parse_master_key;

TEST_CASE("A master key is read back from its text") {
    archive::SecretKey key;
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::byte>(i);
    }
    const std::string text = format_master_key(key);
    CHECK(text == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    REQUIRE(parse_master_key(text));
    CHECK(*parse_master_key(text) == key);
    CHECK(*parse_master_key("  " + text + "\r\n") == key);
}

TEST_CASE("A text that is no master key is refused without being repeated") {
    const std::string good = format_master_key(test::key_of(0x5a));
    const auto bad =
        GENERATE_COPY(std::string(), std::string("short"), good.substr(1), good + good,
                      "!" + good.substr(1), good.substr(0, 43) + "A", good.substr(0, 42) + "b=");
    const auto parsed = parse_master_key(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == sdk::Errc::invalid_config);
    if (bad.size() > 10) {
        CHECK(parsed.error().message.find(bad.substr(1, 8)) == std::string::npos);
    }
}

TEST_CASE("A new key file is private, never overwritten, and loads as the same key") {
    const test::TemporaryFolder folder;
    const auto file = folder.path / "archive.key";
    CHECK(archive::load_master_key(file).error().code == sdk::Errc::not_found);

    const auto created = archive::create_master_key(file);
    REQUIRE(created);
    struct stat status{};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    CHECK(archive::create_master_key(file).error().code == sdk::Errc::already_exists);

    std::string warning;
    const auto loaded = archive::load_master_key(file, &warning);
    REQUIRE(loaded);
    CHECK(*loaded == *created);
    CHECK(warning.empty());

    std::filesystem::permissions(file, std::filesystem::perms::group_read,
                                 std::filesystem::perm_options::add);
    REQUIRE(archive::load_master_key(file, &warning));
    CHECK(warning.find("chmod 600") != std::string::npos);

    std::ofstream(file) << "";
    const auto empty = archive::load_master_key(file);
    REQUIRE_FALSE(empty);
    CHECK(empty.error().code == sdk::Errc::invalid_config);
    CHECK(empty.error().message.find(file.string()) != std::string::npos);
}

TEST_CASE("The check value tells keys apart and stays what it is") {
    CHECK(archive::key_check_value(test::key_of(1)).size() == 16);
    CHECK(archive::key_check_value(test::key_of(1)) == archive::key_check_value(test::key_of(1)));
    CHECK(archive::key_check_value(test::key_of(1)) != archive::key_check_value(test::key_of(2)));
}
