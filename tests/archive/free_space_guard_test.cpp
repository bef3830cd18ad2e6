#include "storage/free_space_guard.hpp"

#include <catch2/catch.hpp>

#include "memory_store.hpp"
#include "support.hpp"

using namespace openarchiver;
using namespace std::chrono_literals;
using storage::FreeSpaceGuard;

namespace {

constexpr std::uint64_t kMiB = 1U << 20;

struct Fixture {
    sdk::Status put(const std::string& pack, std::uint64_t size = 1) {
        return put_object("packs/" + pack, size);
    }

    sdk::Status put_object(const std::string& key, std::uint64_t size) {
        test::StringSource source(std::string(static_cast<std::size_t>(size), 'x'));
        return guard.put(key, source, sdk::PutMode::if_absent, {});
    }

    void free(std::uint64_t bytes) {
        contents.capacity = sdk::Capacity{.free_bytes = bytes, .total_bytes = 1U << 31U};
    }

    test::StoreContents contents;
    test::FakeClock clock;
    FreeSpaceGuard guard{std::make_unique<test::MemoryStore>(contents), 1024 * kMiB, clock};
};

}  // namespace

TEST_CASE("A new pack is refused when it would leave less than the floor") {
    Fixture fixture;
    fixture.free(120 * kMiB);
    const auto put = fixture.put("key");
    REQUIRE_FALSE(put);
    CHECK(put.error().code == sdk::Errc::resource_exhausted);
    CHECK(put.error().message ==
          "only 120 MiB free on the archive's storage, the floor is 1 GiB: free space or lower "
          "archive.free_space_floor");
    CHECK(fixture.contents.objects.empty());

    fixture.clock.offset += 3s;
    fixture.free(1024 * kMiB + 10);
    CHECK(fixture.put("small", 10));
    CHECK_FALSE(fixture.put("one byte more", 1));
}

TEST_CASE("The log, the lease and the keyring pass on a full disk") {
    Fixture fixture;
    fixture.free(0);
    CHECK(fixture.put_object("log/abcdefgh01234567/00000000000000000001", 100));
    CHECK(fixture.put_object("lease", 100));
    CHECK(fixture.put_object("keyring", 100));
    CHECK(fixture.contents.capacity_calls == 0);
    CHECK_FALSE(fixture.put("pack", 100));
}

TEST_CASE("The store is asked every two seconds or 64 MiB, not with each put") {
    Fixture fixture;
    fixture.free(4096 * kMiB);
    for (int i = 0; i < 10; ++i) {
        REQUIRE(fixture.put("a" + std::to_string(i)));
    }
    CHECK(fixture.contents.capacity_calls == 1);
    fixture.clock.offset += 2s;
    REQUIRE(fixture.put("b"));
    CHECK(fixture.contents.capacity_calls == 2);
    REQUIRE(fixture.put("c", 64 * kMiB));
    REQUIRE(fixture.put("d"));
    CHECK(fixture.contents.capacity_calls == 3);
}

TEST_CASE("What was written since the store was asked counts") {
    Fixture fixture;
    fixture.free(1044 * kMiB);
    REQUIRE(fixture.put("a", 12 * kMiB));
    CHECK_FALSE(fixture.put("b", 12 * kMiB));
    CHECK(fixture.put("c", 8 * kMiB));
    CHECK(fixture.contents.capacity_calls == 1);
}

TEST_CASE("A store that can't tell its free space is asked once and not guarded") {
    Fixture fixture;
    for (int i = 0; i < 3; ++i) {
        REQUIRE(fixture.put("a" + std::to_string(i)));
        fixture.clock.offset += 3s;
    }
    CHECK(fixture.contents.capacity_calls == 1);
}
