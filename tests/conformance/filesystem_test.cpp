#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/storage_checks.hpp>

#include "conformance/schema_checks.hpp"
#include "plugin_library.hpp"

using namespace openarchiver;
namespace fs = std::filesystem;

namespace {

sdk::StorageBackend& backend() {
    return *tests::built_plugin("filesystem").storage_backend();
}

struct Archive {
    testkit::HostFixture host;
    fs::path root = host.profile_folder() / "archive";

    auto open(const std::string& config = R"({"root": "./archive"})") {
        return backend().open(config, host.services(), {});
    }
};

sdk::Status put(sdk::ObjectStore& store, const std::string& key, const std::string& text,
                sdk::PutMode mode = sdk::PutMode::if_absent) {
    testkit::MemorySource source{std::string_view(text)};
    return store.put(key, source, mode, {});
}

/// Gives up the superuser's rights, where the test runs with them, until it goes.
class OrdinaryUser {
public:
    OrdinaryUser() {
        if (superuser_) {
            REQUIRE(::seteuid(65534) == 0);
        }
    }

    OrdinaryUser(const OrdinaryUser&) = delete;
    OrdinaryUser& operator=(const OrdinaryUser&) = delete;

    ~OrdinaryUser() {
        if (superuser_ && ::seteuid(0) != 0) {
            std::abort();
        }
    }

private:
    const bool superuser_ = ::geteuid() == 0;
};

fs::perms mode_of(const fs::path& path) {
    return fs::status(path).permissions();
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

void write_file(const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("The filesystem backend keeps the storage contract", "[conformance][filesystem]") {
    Archive archive;
    testkit::check_conformance(testkit::storage_checks({.open = [&] { return archive.open(); }}));
}

TEST_CASE("The filesystem backend's schema is sound", "[conformance][filesystem]") {
    testkit::check_conformance(conformance::schema_checks(backend().config_schema(), {}));
}

TEST_CASE("The filesystem plugin says what it is", "[conformance][filesystem]") {
    CHECK(tests::built_plugin("filesystem").info().id == "filesystem");
    CHECK(tests::built_plugin("filesystem").provider() == nullptr);
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    CHECK((*store)->capabilities().put_if_absent);
    const auto capacity = (*store)->capacity({});
    REQUIRE(capacity);
    CHECK(capacity->total_bytes >= capacity->free_bytes);
    CHECK(capacity->total_bytes > 0);
}

TEST_CASE("Objects are read-only files named by their keys", "[conformance][filesystem]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    REQUIRE(put(**store, "packs/3f/3fa9", "content"));
    const fs::path file = archive.root / "packs" / "3f" / "3fa9";
    CHECK(fs::file_size(file) == 7);
    CHECK(mode_of(file) == fs::perms(0444));
    CHECK((mode_of(archive.root) & fs::perms(0027)) == fs::perms::none);
    CHECK((mode_of(file.parent_path()) & fs::perms(0027)) == fs::perms::none);
    CHECK(files_in(archive.root / "tmp~") == 0);
}

TEST_CASE("A failed put leaves no temporary file", "[conformance][filesystem]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    testkit::MemorySource source(testkit::random_bytes(1'000'000, 1));
    source.fail_at(500'000, {.code = sdk::Errc::unavailable, .message = "source failed"});
    REQUIRE_FALSE((*store)->put("a", source, sdk::PutMode::if_absent, {}));
    CHECK(files_in(archive.root / "tmp~") == 0);
    REQUIRE(put(**store, "a", "1"));
    REQUIRE_FALSE(put(**store, "a", "2"));
    CHECK(files_in(archive.root / "tmp~") == 0);
}

TEST_CASE("A missing root is created with its parents", "[conformance][filesystem]") {
    Archive archive;
    REQUIRE(archive.open(R"({"root": "some/where/archive/"})"));
    CHECK(fs::is_directory(archive.host.profile_folder() / "some" / "where" / "archive"));
}

TEST_CASE("A root that can't be one is refused", "[conformance][filesystem]") {
    Archive archive;
    write_file(archive.host.profile_folder() / "file", "not a folder");
    for (const char* config : {R"({"root": "file"})", R"({"root": "file/below"})",
                               R"({"root": ""})", R"({})", R"({"root": 1})", "nonsense"}) {
        const auto store = archive.open(config);
        REQUIRE_FALSE(store);
        CHECK(store.error().code == sdk::Errc::invalid_config);
    }
}

TEST_CASE("Leftovers of dead writers are removed after an hour", "[conformance][filesystem]") {
    Archive archive;
    archive.host.clock.set(std::chrono::system_clock::now());
    const fs::path folder = archive.root / "tmp~";
    fs::create_directories(folder);
    write_file(folder / "dead", "partial");
    write_file(folder / "alive", "partial");
    const int alive = ::open((folder / "alive").c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(alive >= 0);
    REQUIRE(::flock(alive, LOCK_EX | LOCK_NB) == 0);

    REQUIRE(archive.open());
    CHECK(fs::exists(folder / "dead"));

    archive.host.clock.advance(std::chrono::minutes(61));
    REQUIRE(archive.open());
    CHECK_FALSE(fs::exists(folder / "dead"));
    CHECK(fs::exists(folder / "alive"));
    ::close(alive);
}

TEST_CASE("What is not an object is not listed", "[conformance][filesystem]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    REQUIRE(put(**store, "packs/one", "1"));
    write_file(archive.root / "tmp~" / "partial", "x");
    write_file(archive.root / "packs" / "UPPER", "x");
    fs::create_directories(archive.root / "lost+found");
    write_file(archive.root / "lost+found" / "inode", "x");
    REQUIRE(::mkfifo((archive.root / "packs" / "pipe").c_str(), 0600) == 0);

    struct Sink final : sdk::ObjectListSink {
        bool object(const sdk::ObjectInfo& info) override {
            keys.push_back(info.key);
            return true;
        }

        std::vector<std::string> keys;
    } sink;

    REQUIRE((*store)->list("", "", sink, {}));
    CHECK(sink.keys == std::vector<std::string>{"packs/one"});
    testkit::CollectingSink bytes;
    CHECK(testkit::failed_with((*store)->get("packs/pipe", {}, bytes, {}), sdk::Errc::not_found));
    CHECK(testkit::failed_with((*store)->get("packs", {}, bytes, {}), sdk::Errc::not_found));
}

TEST_CASE("A key that is also a folder is refused with a reason", "[conformance][filesystem]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    REQUIRE(put(**store, "a/b", "1"));
    for (const sdk::PutMode mode : {sdk::PutMode::if_absent, sdk::PutMode::replace}) {
        CHECK(testkit::failed_with(put(**store, "a", "2", mode), sdk::Errc::unsupported));
        CHECK(testkit::failed_with(put(**store, "a/b/c", "3", mode), sdk::Errc::unsupported));
    }
    CHECK((*store)->remove("a", {}));
    CHECK((*store)->stat("a/b", {}));
    CHECK(files_in(archive.root / "tmp~") == 0);
}

TEST_CASE("Folders that vanish while the store is open are made again",
          "[conformance][filesystem]") {
    Archive archive;
    const auto store = archive.open();
    REQUIRE(store);
    REQUIRE(put(**store, "log/w1/1", "1"));
    fs::remove_all(archive.root / "log");
    fs::remove_all(archive.root / "tmp~");
    const auto again = put(**store, "log/w1/2", "2");
    INFO(testkit::outcome_of(again));
    CHECK(again);
}

TEST_CASE("A root that can't be written can still be read", "[conformance][filesystem]") {
    Archive archive;
    {
        const auto store = archive.open();
        REQUIRE(store);
        REQUIRE(put(**store, "a/b", "1"));
    }
    for (const fs::path& folder :
         {archive.host.profile_folder(), archive.root, archive.root / "a", archive.root / "tmp~"}) {
        fs::permissions(folder, fs::perms(0555));
    }
    {
        const OrdinaryUser user;
        const auto store = archive.open();
        REQUIRE(store);
        CHECK((*store)->stat("a/b", {}));
        CHECK(testkit::failed_with(put(**store, "a/c", "2"), sdk::Errc::permission_denied));
        CHECK(testkit::failed_with((*store)->remove("a/b", {}), sdk::Errc::permission_denied));
    }
    for (const fs::path& folder :
         {archive.host.profile_folder(), archive.root, archive.root / "a", archive.root / "tmp~"}) {
        fs::permissions(folder, fs::perms(0755));
    }
}

TEST_CASE("A full disk is reported as such and leaves nothing behind",
          "[conformance][filesystem]") {
    Archive archive;
    fs::create_directories(archive.root);
    if (::mount("tmpfs", archive.root.c_str(), "tmpfs", 0, "size=1m") != 0) {
        WARN("skipped: a small file system can't be mounted here");
        return;
    }
    {
        const auto store = archive.open();
        REQUIRE(store);
        testkit::MemorySource large(testkit::random_bytes(2'000'000, 1));
        const auto refused = (*store)->put("large", large, sdk::PutMode::if_absent, {});
        CHECK(testkit::failed_with(refused, sdk::Errc::resource_exhausted));
        CHECK(files_in(archive.root / "tmp~") == 0);
        CHECK_FALSE((*store)->stat("large", {}));
        CHECK(put(**store, "small", "fits"));
    }
    REQUIRE(::umount(archive.root.c_str()) == 0);
}
