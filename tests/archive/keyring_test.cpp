#include "archive/keyring.hpp"

#include <catch2/catch.hpp>

#include "archive/digest.hpp"
#include "support.hpp"

using namespace openarchiver;
using archive::AccountKey;
using archive::Keyring;

TEST_CASE("An account has one key, other accounts have others") {
    Keyring keyring = Keyring::create(true);
    const AccountKey a = keyring.account_key("contoso", "a");
    CHECK(a.key.has_value());
    CHECK(keyring.account_key("contoso", "a").id == a.id);
    CHECK(keyring.account_key("contoso", "a").key == a.key);
    const AccountKey b = keyring.account_key("contoso", "b");
    CHECK(b.id != a.id);
    CHECK(b.key != a.key);
    CHECK(keyring.account_key("other", "a").id != a.id);
    CHECK(keyring.archive_key().id != a.id);
    CHECK(keyring.size() == 4);
    REQUIRE(keyring.find(b.id));
    CHECK(keyring.find(b.id)->key == b.key);
    CHECK(keyring.find(keyring.archive_key().id)->key == keyring.archive_key().key);
    CHECK(keyring.find(archive::KeyId{}).error().code == sdk::Errc::not_found);
}

TEST_CASE("A sealed keyring opens to the same keys and shows none of them") {
    const bool encrypted = GENERATE(true, false);
    const auto master = encrypted ? std::optional(test::key_of(1)) : std::nullopt;
    Keyring keyring = Keyring::create(encrypted);
    std::vector<AccountKey> keys{keyring.archive_key()};
    for (int i = 0; i < 100; ++i) {
        keys.push_back(keyring.account_key("source", "account " + std::to_string(i)));
    }
    const auto object = keyring.seal(master);
    REQUIRE(object);
    const auto opened = Keyring::open(*object, master);
    REQUIRE(opened);
    CHECK(opened->size() == keys.size());
    CHECK_FALSE(opened->dirty());
    for (const AccountKey& key : keys) {
        REQUIRE(opened->find(key.id));
        CHECK(opened->find(key.id)->key == key.key);
        if (encrypted) {
            const std::string_view secret(reinterpret_cast<const char*>(key.key->data()), 32);
            CHECK(object->find(secret) == std::string::npos);
        }
    }
    CHECK((object->find("account 7") == std::string::npos) == encrypted);
    CHECK(opened->archive_key().id == keys[0].id);
    CHECK(opened->signing_key() == keyring.signing_key());
    const auto signing = keyring.signing_key();
    const std::string_view seed(reinterpret_cast<const char*>(signing.data()), 32);
    CHECK((object->find(seed) == std::string::npos) == encrypted);
}

TEST_CASE("A keyring says without its key which one it wants, and which keyring it is") {
    Keyring keyring = Keyring::create(true);
    const auto scrypt = archive::Scrypt::fresh();
    keyring.set_scrypt(scrypt);
    for (std::uint64_t generation = 1; generation <= 3; ++generation) {
        const auto header = Keyring::read_header(*keyring.seal(test::key_of(1)));
        REQUIRE(header);
        CHECK(header->key_check == archive::key_check_value(test::key_of(1)));
        CHECK(header->generation == generation);
        REQUIRE(header->scrypt);
        CHECK(header->scrypt->salt == scrypt.salt);
        CHECK(header->scrypt->log_n == 17);
        keyring.mark_saved();
    }
    const auto plain = Keyring::read_header(*Keyring::create(false).seal(std::nullopt));
    CHECK_FALSE(plain->encrypted);
    CHECK_FALSE(plain->scrypt);
}

TEST_CASE("A keyring is dirty while a key was not saved") {
    Keyring keyring = Keyring::create(true);
    CHECK(keyring.dirty());
    REQUIRE(keyring.seal(test::key_of(1)));
    keyring.mark_saved();
    CHECK_FALSE(keyring.dirty());
    static_cast<void>(keyring.account_key("s", "a"));
    CHECK(keyring.dirty());
    SECTION("a key made after seal() is not taken for saved") {
        REQUIRE(keyring.seal(test::key_of(1)));
        static_cast<void>(keyring.account_key("s", "b"));
        keyring.mark_saved();
        CHECK(keyring.dirty());
    }
    SECTION("an account that has its key changes nothing") {
        REQUIRE(keyring.seal(test::key_of(1)));
        keyring.mark_saved();
        static_cast<void>(keyring.account_key("s", "a"));
        CHECK_FALSE(keyring.dirty());
    }
}

TEST_CASE("A forgotten account's key is gone and a new one is another") {
    Keyring keyring = Keyring::create(true);
    const AccountKey key = keyring.account_key("s", "a");
    CHECK(keyring.forget("s", "a"));
    CHECK_FALSE(keyring.forget("s", "a"));
    CHECK(keyring.find(key.id).error().code == sdk::Errc::not_found);
    CHECK(keyring.account_key("s", "a").id != key.id);
}

TEST_CASE("Another master key does not open a keyring, and both are named") {
    const auto object = Keyring::create(true).seal(test::key_of(1));
    REQUIRE(object);
    const auto opened = Keyring::open(*object, test::key_of(2));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == sdk::Errc::unauthenticated);
    CHECK(opened.error().message.find(archive::key_check_value(test::key_of(1))) !=
          std::string::npos);
    CHECK(opened.error().message.find(archive::key_check_value(test::key_of(2))) !=
          std::string::npos);
    CHECK(Keyring::open(*object, std::nullopt).error().code == sdk::Errc::invalid_config);
}

TEST_CASE("Any flipped bit and any cut of a keyring is noticed") {
    const bool encrypted = GENERATE(true, false);
    const auto master = encrypted ? std::optional(test::key_of(1)) : std::nullopt;
    Keyring keyring = Keyring::create(encrypted);
    static_cast<void>(keyring.account_key("s", "a"));
    const std::string object = *keyring.seal(master);
    for (std::size_t bit = 0; bit < object.size() * 8; ++bit) {
        std::string flipped = object;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit);
        REQUIRE(Keyring::open(flipped, master).error().code == sdk::Errc::corrupt);
    }
    for (std::size_t size = 0; size < object.size(); ++size) {
        REQUIRE(Keyring::open(object.substr(0, size), master).error().code == sdk::Errc::corrupt);
    }
    REQUIRE_FALSE(Keyring::open(object + "x", master));
}

TEST_CASE("A keyring changed with its checksum set right is noticed when it is encrypted") {
    const std::string object = *Keyring::create(true).seal(test::key_of(1));
    // From the salt on; what is before it (format, cipher, check value) is refused by name.
    for (std::size_t at = 32; at < object.size() - 32; ++at) {
        std::string changed = object;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        const archive::Digest digest =
            archive::sha256(std::string_view(changed).substr(0, changed.size() - 32));
        std::copy_n(reinterpret_cast<const char*>(digest.data()), 32, changed.end() - 32);
        INFO("byte " << at);
        REQUIRE_FALSE(Keyring::open(changed, test::key_of(1)));
    }
}
