// The object store in memory stands in for a real one in tests of the engine, so it keeps the same
// contract; and stores that break it in one way each show that the suite notices.
#include <algorithm>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>
#include <openarchiver/testkit/storage_checks.hpp>

using namespace openarchiver;

namespace {

/// Forwards to a store that keeps the contract.
class BrokenStore : public sdk::ObjectStore {
public:
    explicit BrokenStore(std::shared_ptr<testkit::MemoryObjects> objects)
        : store(std::move(objects)) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        return store.capabilities();
    }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        return store.put(key, source, mode, stop);
    }

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override {
        return store.get(key, range, sink, stop);
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override {
        return store.stat(key, stop);
    }

    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override {
        return store.list(prefix, start_after, sink, stop);
    }

    sdk::Status remove(std::string_view key, std::stop_token stop) override {
        return store.remove(key, stop);
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
        return store.capacity(stop);
    }

    testkit::MemoryObjectStore store;
};

/// Looks first and stores then, so that two callers can both find nothing.
class RacyStore final : public BrokenStore {
public:
    using BrokenStore::BrokenStore;

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        if (mode == sdk::PutMode::if_absent && store.stat(key, stop)) {
            return sdk::Error{.code = sdk::Errc::already_exists, .message = "it is there"};
        }
        return store.put(key, source, sdk::PutMode::replace, stop);
    }
};

/// Stores what it got before the source failed or ended.
class PartialStore final : public BrokenStore {
public:
    using BrokenStore::BrokenStore;

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        testkit::Bytes bytes;
        testkit::Bytes buffer(65536);
        sdk::Status outcome;
        while (true) {
            const auto count = source.read(buffer);
            if (!count) {
                outcome = count.error();
                break;
            }
            if (*count == 0) {
                break;
            }
            bytes.insert(bytes.end(), buffer.begin(),
                         buffer.begin() + static_cast<std::ptrdiff_t>(*count));
        }
        testkit::MemorySource copy(std::move(bytes));
        const sdk::Status stored = store.put(key, copy, mode, stop);
        return outcome ? stored : outcome;
    }
};

/// Lists folder by folder: `a/b` before `a-b`.
class FolderOrderStore final : public BrokenStore {
public:
    using BrokenStore::BrokenStore;

    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override {
        std::vector<std::string> keys;
        for (const auto& [key, object] : store.objects().all()) {
            if (key.starts_with(prefix) && key > start_after) {
                keys.push_back(key);
            }
        }
        std::ranges::sort(keys, {}, [](std::string key) {
            std::ranges::replace(key, '/', '\x01');
            return key;
        });
        for (const std::string& key : keys) {
            const auto info = store.stat(key, stop);
            if (!info) {
                return info.error();
            }
            if (!sink.object(*info)) {
                break;
            }
        }
        return {};
    }
};

/// Gives what there is of a range that reaches beyond the end.
class ClampingStore final : public BrokenStore {
public:
    using BrokenStore::BrokenStore;

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override {
        const auto info = store.stat(key, stop);
        if (!info) {
            return info.error();
        }
        sdk::Range clamped = range;
        clamped.offset = std::min(range.offset, info->size);
        if (range.length) {
            clamped.length = std::min(*range.length, info->size - clamped.offset);
        }
        return store.get(key, clamped, sink, stop);
    }
};

/// Whether the check with these words in its name, and no other, passes on a `Store`.
template <typename Store>
bool passes(const std::string& words) {
    const auto objects = std::make_shared<testkit::MemoryObjects>();
    std::vector<testkit::ConformanceCheck> checks =
        testkit::storage_checks({.open = [&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            return std::make_unique<Store>(objects);
        }});
    std::erase_if(checks, [&](const testkit::ConformanceCheck& check) {
        return check.promise.name.find(words) == std::string::npos;
    });
    REQUIRE(checks.size() == 1);
    return checks.front().run().passed();
}

}  // namespace

TEST_CASE("The object store in memory keeps the storage contract", "[conformance][storage]") {
    const auto objects = std::make_shared<testkit::MemoryObjects>();
    testkit::check_conformance(
        testkit::storage_checks({.open = [&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            return std::make_unique<testkit::MemoryObjectStore>(objects);
        }}));
}

TEST_CASE("The storage suite notices stores that break the contract", "[conformance][storage]") {
    SECTION("a race for if-absent") {
        CHECK_FALSE(passes<RacyStore>("exactly one succeeds"));
    }
    SECTION("partial objects") {
        CHECK_FALSE(passes<PartialStore>("fails half-way"));
        CHECK_FALSE(passes<PartialStore>("not as long as announced"));
        CHECK_FALSE(passes<PartialStore>("put() notices its stop token"));
    }
    SECTION("a listing folder by folder") {
        CHECK_FALSE(passes<FolderOrderStore>("byte order"));
        CHECK_FALSE(passes<FolderOrderStore>("goes on from its last key"));
    }
    SECTION("clamped ranges") {
        CHECK_FALSE(passes<ClampingStore>("ranges are exact"));
    }
}
