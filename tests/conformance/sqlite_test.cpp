#include <sqlite3.h>
#include <sys/mount.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/storage_checks.hpp>
#include <thread>

#include "conformance/schema_checks.hpp"
#include "plugin_library.hpp"

using namespace openarchiver;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Archive {
    testkit::HostFixture host;
    fs::path file = host.profile_folder() / "archive.db";

    auto open() {
        return tests::built_plugin("sqlite").storage_backend()->open(R"({"file": "archive.db"})",
                                                                     host.services(), {});
    }
};

sdk::Status put(sdk::ObjectStore& store, const std::string& key, testkit::Bytes bytes,
                sdk::PutMode mode = sdk::PutMode::if_absent, std::stop_token stop = {}) {
    testkit::MemorySource source(std::move(bytes));
    return store.put(key, source, mode, std::move(stop));
}

testkit::Bytes some(std::size_t size) {
    return testkit::Bytes(size, std::byte{7});
}

/// The file as another program opens it.
class Database {
public:
    explicit Database(const fs::path& file) {
        REQUIRE(sqlite3_open(file.c_str(), &handle_) == SQLITE_OK);
    }

    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    ~Database() { sqlite3_close(handle_); }

    void run(const char* sql) {
        INFO(sql << ": " << sqlite3_errmsg(handle_));
        REQUIRE(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    }

private:
    sqlite3* handle_ = nullptr;
};

}  // namespace

TEST_CASE("The sqlite backend keeps the storage contract", "[conformance][sqlite]") {
    Archive archive;
    testkit::check_conformance(testkit::storage_checks({.open = [&] { return archive.open(); }}));
}

TEST_CASE("The sqlite backend's schema is sound", "[conformance][sqlite]") {
    testkit::check_conformance(conformance::schema_checks(
        tests::built_plugin("sqlite").storage_backend()->config_schema(), {}));
}

TEST_CASE("Any part of an object is read, whichever rows it is in", "[conformance][sqlite]") {
    constexpr std::size_t kRow = 1024 * 1024;
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    testkit::Bytes bytes(2 * kRow + 12'345);
    std::uint32_t state = 1;
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24U);
    }
    REQUIRE(put(**store, "before", some(3 * kRow)));
    REQUIRE(put(**store, "packs/a", bytes));
    REQUIRE(put(**store, "after", some(3 * kRow)));
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{1}, std::size_t{300'000}, kRow - 1, kRow, kRow + 1,
          2 * kRow - 7, 2 * kRow, bytes.size() - 1, bytes.size()}) {
        for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{7},
                                         std::size_t{262'144}, kRow, 2 * kRow, bytes.size()}) {
            CAPTURE(offset, length);
            const bool within = length <= bytes.size() - offset;
            testkit::CollectingSink sink;
            const auto read =
                (*store)->get("packs/a", {.offset = offset, .length = length}, sink, {});
            REQUIRE(read.has_value() == within);
            if (within) {
                const auto part = std::span(bytes).subspan(offset, length);
                CHECK(std::ranges::equal(sink.bytes(), part));
            }
        }
    }
    REQUIRE((*store)->remove("packs/a", {}));
    for (const char* neighbour : {"before", "after"}) {
        testkit::CollectingSink sink;
        REQUIRE((*store)->get(neighbour, {}, sink, {}));
        CHECK(sink.bytes() == some(3 * kRow));
    }
}

TEST_CASE("Of several openers of one file exactly one creates an object", "[conformance][sqlite]") {
    Archive archive;
    std::atomic<int> created = 0;
    std::atomic<int> refused = 0;
    {
        std::vector<std::jthread> racers;
        for (int i = 0; i < 6; ++i) {
            racers.emplace_back([&] {
                const auto store = archive.open();  // the first ones make the file side by side
                if (!store) {
                    return;
                }
                for (int object = 0; object < 20; ++object) {
                    const auto status = put(**store, "race/" + std::to_string(object), some(5000));
                    created += status ? 1 : 0;
                    refused += testkit::failed_with(status, sdk::Errc::already_exists) ? 1 : 0;
                }
            });
        }
    }
    CHECK(created == 20);
    CHECK(refused == 100);
}

TEST_CASE("A writer waits for another process, and no longer than its stop token allows",
          "[conformance][sqlite]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    Database other(archive.file);
    other.run("BEGIN IMMEDIATE");
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(200ms);
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    CHECK(
        testkit::failed_with(put(**store, "a", some(1), sdk::PutMode::if_absent, stop.get_token()),
                             sdk::Errc::cancelled));
    CHECK(std::chrono::steady_clock::now() - begin < 2s);
    CHECK(
        testkit::failed_with((*store)->stat("a", {}), sdk::Errc::not_found));  // readers don't wait

    std::jthread committer([&] {
        std::this_thread::sleep_for(100ms);
        other.run("COMMIT");
    });
    CHECK(put(**store, "a", some(1)));
}

TEST_CASE("The file is its owner's alone, and gives space back", "[conformance][sqlite]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    REQUIRE(put(**store, "packs/large", some(40'000'000)));
    CHECK((fs::status(archive.file).permissions() & fs::perms(0077)) == fs::perms::none);
    REQUIRE((*store)->remove("packs/large", {}));
    Database(archive.file).run("PRAGMA wal_checkpoint(TRUNCATE)");
    CHECK(fs::file_size(archive.file) < 1'000'000);
}

TEST_CASE("What is no archive, or a newer one, is left alone", "[conformance][sqlite]") {
    Archive archive;
    SECTION("another program's database") {
        Database(archive.file).run("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
        const auto refused = archive.open();
        CHECK(testkit::failed_with(refused, sdk::Errc::invalid_config));
        Database(archive.file).run("SELECT x FROM t");
    }
    SECTION("no database") {
        std::ofstream(archive.file) << std::string(10'000, 'x');
        CHECK(testkit::failed_with(archive.open(), sdk::Errc::invalid_config));
        CHECK(fs::file_size(archive.file) == 10'000);
    }
    SECTION("a newer format") {
        REQUIRE(archive.open());
        Database(archive.file).run("PRAGMA user_version=3");
        const auto refused = archive.open();
        CHECK(testkit::failed_with(refused, sdk::Errc::unsupported));
        CHECK_THAT(refused.error().message, Catch::Matchers::EndsWith("use a newer one"));
    }
    SECTION("one of before the first release") {
        REQUIRE(archive.open());
        Database(archive.file).run("PRAGMA user_version=1");
        const auto refused = archive.open();
        CHECK(testkit::failed_with(refused, sdk::Errc::unsupported));
        CHECK_THAT(refused.error().message, Catch::Matchers::EndsWith("use the older one"));
    }
}

TEST_CASE("A damaged file is reported as such", "[conformance][sqlite]") {
    Archive archive;
    {
        const auto store = archive.open();
        REQUIRE(store);
        REQUIRE(put(**store, "packs/a", some(3'000'000)));
    }
    SECTION("overwritten pages") {
        std::fstream file(archive.file, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(32768);
        const std::string junk(200'000, 'z');
        file.write(junk.data(), static_cast<std::streamsize>(junk.size()));
    }
    SECTION("a piece removed by somebody") {
        Database(archive.file).run("DELETE FROM pieces WHERE piece % 1048576 = 1");
    }
    SECTION("a piece shortened by somebody") {
        Database(archive.file).run("UPDATE pieces SET bytes = x'07' WHERE piece % 1048576 = 1");
    }
    const auto store = archive.open();
    testkit::CollectingSink sink;
    const auto read = store ? (*store)->get("packs/a", {}, sink, {}) : store.error();
    CHECK(testkit::failed_with(read, sdk::Errc::corrupt));
}

TEST_CASE("A full disk refuses a put and keeps what is there", "[conformance][sqlite]") {
    Archive archive;
    const fs::path disk = archive.host.profile_folder() / "disk";
    fs::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=8m") != 0) {
        WARN("skipped: mounting a small file system takes root");
        return;
    }
    {
        const auto store = tests::built_plugin("sqlite").storage_backend()->open(
            R"({"file": "disk/archive.db"})", archive.host.services(), {});
        REQUIRE(store);
        REQUIRE(put(**store, "small", some(1000)));
        CHECK(testkit::failed_with(put(**store, "large", some(30'000'000)),
                                   sdk::Errc::resource_exhausted));
        CHECK(testkit::failed_with((*store)->stat("large", {}), sdk::Errc::not_found));
        testkit::CollectingSink sink;
        CHECK((*store)->get("small", {}, sink, {}));
        CHECK(put(**store, "small2", some(1000)));
    }
    CHECK(::umount(disk.c_str()) == 0);
}
