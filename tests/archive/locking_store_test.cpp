#include "storage/locking_store.hpp"

#include <catch2/catch.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>

#include "support.hpp"

using namespace openarchiver;

namespace {

struct Fixture {
    sdk::Status put(const std::string& key, sdk::PutMode mode = sdk::PutMode::if_absent) {
        test::StringSource source("bytes");
        return store.put(key, source, mode, {});
    }

    std::optional<std::chrono::days> locked_for(const std::string& key) {
        const auto protection = store.protection(key, {});
        REQUIRE(protection);
        return protection->locked_until ? std::optional(std::chrono::round<std::chrono::days>(
                                              *protection->locked_until - clock.now()))
                                        : std::nullopt;
    }

    std::shared_ptr<testkit::MemoryObjects> objects = std::make_shared<testkit::MemoryObjects>();
    test::FakeClock clock;
    storage::LockingStore store{std::make_unique<testkit::MemoryObjectStore>(objects), clock};
};

}  // namespace

TEST_CASE("What is put for good is locked, what is replaced is not") {
    Fixture fixture;
    for (const char* const key : {"packs/ab/abcd", "log/writer/1", "heads/1", "archive"}) {
        REQUIRE(fixture.put(key));
    }
    REQUIRE(fixture.put("lease"));
    REQUIRE(fixture.put("copy"));
    REQUIRE(fixture.put("keyring", sdk::PutMode::replace));
    CHECK(fixture.locked_for("packs/ab/abcd") == storage::kFirstLock);
    for (const char* const key : {"log/writer/1", "heads/1", "archive"}) {
        CHECK(fixture.locked_for(key) == storage::kRollingLock);
    }
    for (const char* const key : {"lease", "copy", "keyring"}) {
        CHECK_FALSE(fixture.locked_for(key));
        CHECK(fixture.store.remove(key, {}));
    }
}

TEST_CASE("A put whose lock fails is no success, and its next attempt locks what is there") {
    Fixture fixture;
    bool fails = true;
    fixture.objects->before = [&](std::string_view operation, std::string_view) -> sdk::Status {
        if (operation == "lock" && fails) {
            return sdk::Error{.code = sdk::Errc::permission_denied, .message = "not you"};
        }
        return {};
    };
    const auto put = fixture.put("packs/ab/abcd");
    REQUIRE_FALSE(put);
    CHECK(put.error().code == sdk::Errc::permission_denied);
    CHECK(put.error().message == "the object packs/ab/abcd was stored, but is not locked: not you");
    fails = false;
    const auto again = fixture.put("packs/ab/abcd");
    REQUIRE_FALSE(again);
    CHECK(again.error().code == sdk::Errc::already_exists);
    CHECK(fixture.locked_for("packs/ab/abcd") == storage::kFirstLock);
}
