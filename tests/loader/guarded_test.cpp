#include "plugin/guarded.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "loader/support.hpp"
#include "plugin/host_services.hpp"
#include "plugin/plugin_host.hpp"

namespace {

namespace fs = std::filesystem;
namespace plugin = openarchiver::plugin;
namespace sdk = openarchiver::sdk;
using Catch::Matchers::Contains;

/// A real library, loaded as the engine does, with the services that it is opened with.
struct Loaded {
    Loaded() : host(logger), secrets("test", {}, nullptr) {
        REQUIRE(host.load(fs::path(LOADER_TEST_LIBRARIES) / "misbehaving.so"));
        REQUIRE(host.load(fs::path(LOADER_TEST_LIBRARIES) / "misbehaving_storage.so"));
    }

    struct : sdk::Waker {
        void changed(std::string_view) override {}
    } waker;

    sdk::HostServices services() { return {logger, secrets, clock, metrics, waker, {}, {}}; }

    std::unique_ptr<sdk::ProviderSession> session(std::string_view fault) {
        auto opened = host.provider("misbehaving").value()->open(fault, services());
        REQUIRE(opened);
        return std::move(*opened);
    }

    std::unique_ptr<sdk::ObjectStore> store(std::string_view fault) {
        auto opened = host.storage_backend("misbehaving").value()->open(fault, services(), {});
        REQUIRE(opened);
        return std::move(*opened);
    }

    RecordingLogger logger;
    plugin::PluginHost host;
    plugin::ConfiguredSecrets secrets;
    plugin::SystemClock clock;
    plugin::CounterMetrics metrics;
};

enum class Behaviour { take, stop, fail };

/// Every sink of the engine; from the second call on it behaves as told.
struct Sink final : sdk::AccountSink, sdk::FolderSink, sdk::ItemSink, sdk::ObjectListSink {
    explicit Sink(Behaviour chosen) : behaviour(chosen) {}

    sdk::Flow called() {
        if (++calls == 2 && behaviour == Behaviour::fail) {
            throw std::runtime_error("the disk of the catalog is gone");
        }
        return calls == 2 && behaviour == Behaviour::stop ? sdk::Flow::stop : sdk::Flow::proceed;
    }

    sdk::Flow account(const sdk::Account&) override { return called(); }

    sdk::Flow folder(const sdk::Folder&) override { return called(); }

    sdk::Flow folder_removed(std::string_view) override { return called(); }

    sdk::Flow item(const sdk::Item&) override { return called(); }

    sdk::Flow item_left(std::string_view) override { return called(); }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override { return called(); }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return called(); }

    bool object(const sdk::ObjectInfo&) override { return called() == sdk::Flow::proceed; }

    Behaviour behaviour;
    int calls = 0;
};

struct Bytes final : sdk::ByteSource, sdk::ByteSink {
    explicit Bytes(Behaviour chosen) : behaviour(chosen) {}

    sdk::Status called() {
        if (++calls == 2 && behaviour == Behaviour::fail) {
            throw std::runtime_error("the disk of the catalog is gone");
        }
        if (calls == 2 && behaviour == Behaviour::stop) {
            return sdk::Error{sdk::Errc::unavailable, "the engine's own error"};
        }
        return {};
    }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        OPENARCHIVER_CHECK(called());
        const std::size_t count = std::min(buffer.size(), text.size() - position);
        std::memcpy(buffer.data(), text.data() + position, count);
        position += count;
        return count;
    }

    [[nodiscard]] std::uint64_t size() const override { return text.size(); }

    sdk::Status rewind() override {
        position = 0;
        return {};
    }

    sdk::Status write(std::span<const std::byte>) override { return called(); }

    Behaviour behaviour;
    int calls = 0;
    std::string text = "sixteen bytes...";
    std::size_t position = 0;
};

template <typename T>
void check_internal(const sdk::Result<T>& result, const char* part) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == sdk::Errc::internal);
    CHECK_THAT(result.error().message, Contains(part));
}

}  // namespace

TEST_CASE("An exception in any call of a provider becomes an internal error and is logged") {
    Loaded loaded;
    const auto session = loaded.session("throws");
    Sink sink(Behaviour::take);
    const char* text = "the plugin's own trouble";

    check_internal(session->check({}), text);
    check_internal(session->discover({}, sink, {}), text);
    check_internal(session->find_account("a", {}), text);
    check_internal(session->list_folders("a", {}, sink, {}), text);
    check_internal(session->sync_folder("a", "f", {}, sink, {}), text);
    check_internal(session->open_content("a", "i", {}), text);
    check_internal(session->reconstruct_content("a", "i", {}, {}), text);
    check_internal(session->probe("a", {}), text);
    check_internal(session->estimate({}), text);
    CHECK(session->limits().accounts_in_parallel == 1);
    CHECK_FALSE(session->credentials_expire());
    CHECK(loaded.logger.has("plugin misbehaving plugin=misbehaving call=limits"));
    CHECK(loaded.logger.has("plugin misbehaving plugin=misbehaving call=credentials_expire"));
    CHECK(loaded.logger.has("plugin misbehaving plugin=misbehaving call=sync_folder"));
}

TEST_CASE("Opening through a misbehaving provider fails cleanly") {
    Loaded loaded;
    sdk::Provider* provider = loaded.host.provider("misbehaving").value();
    check_internal(provider->open("open throws", loaded.services()), "unknown type");
    check_internal(provider->open("open null", loaded.services()), "success without an object");
    check_internal(loaded.session("null")->open_content("a", "i", {}), "without an object");
    check_internal(loaded.session("null")->reconstruct_content("a", "i", {}, {}),
                   "without an object");
}

TEST_CASE("A reader that throws or returns more than it was given room for is an internal error") {
    Loaded loaded;
    std::array<std::byte, 16> buffer{};
    auto greedy = loaded.session("greedy")->open_content("a", "i", {});
    REQUIRE(greedy);
    check_internal((*greedy)->read(buffer), "more bytes than the buffer holds");
    auto throwing = loaded.session("")->open_content("a", "i", {});
    REQUIRE(throwing);
    check_internal((*throwing)->read(buffer), "unknown type");
}

TEST_CASE("An error of a plugin passes the wall unchanged, and limits are at least one") {
    Loaded loaded;
    const auto session = loaded.session("");
    const auto status = session->probe("a", {});
    REQUIRE_FALSE(status);
    CHECK(status.error().code == sdk::Errc::rate_limited);
    CHECK(session->limits().readers_per_account == 1);
    CHECK(loaded.store("")->capabilities().parallelism == 1);
}

TEST_CASE("An estimate from more accounts than there are is an internal error") {
    Loaded loaded;
    check_internal(loaded.session("boastful")->estimate({}), "more accounts");
    const auto estimate = loaded.session("")->estimate({});
    REQUIRE(estimate);
    CHECK(estimate->sampled_accounts == std::vector<std::uint64_t>{3, 4});
}

TEST_CASE("A sink that stops is not called again, and the plugin's success is not believed") {
    Loaded loaded;
    const auto session = loaded.session("");
    SECTION("accounts") {
        Sink sink(Behaviour::stop);
        const auto listing = session->discover({}, sink, {});
        REQUIRE_FALSE(listing);
        CHECK(listing.error().code == sdk::Errc::cancelled);
        CHECK(sink.calls == 2);
    }
    SECTION("items") {
        Sink sink(Behaviour::stop);
        const auto status = session->sync_folder("a", "f", {}, sink, {});
        REQUIRE_FALSE(status);
        CHECK(status.error().code == sdk::Errc::cancelled);
        CHECK(sink.calls == 2);
    }
    SECTION("objects: ending a listing is success") {
        Sink sink(Behaviour::stop);
        CHECK(loaded.store("")->list("", "", sink, {}));
        CHECK(sink.calls == 2);
    }
}

TEST_CASE("An exception of an engine's sink does not reach the plugin") {
    Loaded loaded;
    const auto session = loaded.session("");
    Sink sink(Behaviour::fail);
    SECTION("accounts") {
        check_internal(session->discover({}, sink, {}), "disk of the catalog");
    }
    SECTION("items") {
        check_internal(session->sync_folder("a", "f", {}, sink, {}), "disk of the catalog");
    }
    SECTION("objects") {
        check_internal(loaded.store("")->list("", "", sink, {}), "disk of the catalog");
    }
    CHECK(sink.calls == 2);
    CHECK(loaded.logger.has("the engine failed"));
}

TEST_CASE("Ids and cursors beyond the bounds of the SDK end the call") {
    Loaded loaded;
    Sink sink(Behaviour::take);
    check_internal(loaded.session("empty id")->list_folders("a", {}, sink, {}), "folder id");
    check_internal(loaded.session("empty id")->sync_folder("a", "f", {}, sink, {}), "item id");
    check_internal(loaded.session("long cursor")->discover({}, sink, {}), "cursor");
    CHECK(loaded.session("")->find_account("a", {}).value().id == "a");
    check_internal(loaded.session("other account")->find_account("a", {}), "another account");
    check_internal(loaded.session("long cursor")->sync_folder("a", "f", {}, sink, {}), "cursor");
}

TEST_CASE("An exception in any call of an object store becomes an internal error") {
    Loaded loaded;
    const auto store = loaded.store("throws");
    Sink sink(Behaviour::take);
    Bytes bytes(Behaviour::take);
    const char* text = "the plugin's own trouble";
    check_internal(store->put("k", bytes, sdk::PutMode::replace, {}), text);
    check_internal(store->get("k", {}, bytes, {}), text);
    check_internal(store->stat("k", {}), text);
    check_internal(store->list("", "", sink, {}), text);
    check_internal(store->remove("k", {}), text);
    check_internal(store->capacity({}), text);
    CHECK(store->capabilities().parallelism == 1);
}

TEST_CASE("A put counts only when the whole source was read without an error") {
    Loaded loaded;
    SECTION("read to its end") {
        Bytes bytes(Behaviour::take);
        CHECK(loaded.store("")->put("k", bytes, sdk::PutMode::replace, {}));
    }
    SECTION("read in part") {
        Bytes bytes(Behaviour::take);
        check_internal(loaded.store("partial")->put("k", bytes, sdk::PutMode::replace, {}),
                       "without reading the whole object");
    }
    SECTION("an error of the source that the plugin took for the end") {
        Bytes bytes(Behaviour::stop);
        const auto status = loaded.store("")->put("k", bytes, sdk::PutMode::replace, {});
        REQUIRE_FALSE(status);
        CHECK(status.error().message == "the engine's own error");
    }
    SECTION("an exception of the source") {
        Bytes bytes(Behaviour::fail);
        check_internal(loaded.store("")->put("k", bytes, sdk::PutMode::replace, {}),
                       "disk of the catalog");
    }
}

TEST_CASE("A get counts only when the sink took exactly the range") {
    Loaded loaded;
    SECTION("the range") {
        Bytes bytes(Behaviour::take);
        CHECK(loaded.store("")->get("k", {0, 16}, bytes, {}));
    }
    SECTION("another length") {
        Bytes bytes(Behaviour::take);
        check_internal(loaded.store("")->get("k", {0, 20}, bytes, {}), "another length");
    }
    SECTION("an error of the sink that the plugin did not see") {
        Bytes bytes(Behaviour::stop);
        const auto status = loaded.store("")->get("k", {0, 16}, bytes, {});
        REQUIRE_FALSE(status);
        CHECK(status.error().message == "the engine's own error");
    }
}
