#include <algorithm>
#include <array>
#include <openarchiver/testkit/storage_checks.hpp>
#include <thread>

#include "storage_suite.hpp"

namespace openarchiver::testkit {

namespace storage {

namespace {

class KeySink final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        keys.push_back(info.key);
        return true;
    }

    std::vector<std::string> keys;
};

}  // namespace

ConformanceCheck check(const StorageFixture& fixture, Promise promise, Body body) {
    return {.promise = std::move(promise),
            .body = [open = fixture.open, body = std::move(body)](Findings& findings) {
                const auto store = open();
                if (findings.expect(store.has_value(), "the store opens", outcome_of(store))) {
                    body(**store, findings);
                }
            }};
}

sdk::Status put(sdk::ObjectStore& store, std::string_view key, const Bytes& bytes,
                sdk::PutMode mode) {
    MemorySource source(bytes);
    return store.put(key, source, mode, {});
}

bool put_all(sdk::ObjectStore& store, const std::vector<std::string>& keys, Findings& findings) {
    constexpr std::size_t kThreads = 8;
    std::array<sdk::Status, kThreads> outcomes;
    {
        std::vector<std::jthread> threads;
        for (std::size_t thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&, thread] {
                for (std::size_t i = thread; i < keys.size() && outcomes[thread]; i += kThreads) {
                    outcomes[thread] = put(store, keys[i], bytes_of(keys[i]));
                }
            });
        }
    }
    return std::ranges::all_of(outcomes, [&](const sdk::Status& outcome) {
        return findings.expect(outcome.has_value(), "put() succeeds", outcome_of(outcome));
    });
}

sdk::Result<Bytes> get(sdk::ObjectStore& store, std::string_view key, const sdk::Range& range) {
    CollectingSink sink;
    OPENARCHIVER_CHECK(store.get(key, range, sink, {}));
    return sink.bytes();
}

sdk::Result<std::vector<std::string>> list(sdk::ObjectStore& store, std::string_view prefix,
                                           std::string_view start_after) {
    KeySink sink;
    OPENARCHIVER_CHECK(store.list(prefix, start_after, sink, {}));
    return std::move(sink.keys);
}

bool is_visible(sdk::ObjectStore& store, const std::string& key) {
    const auto keys = list(store, key);
    return get(store, key).has_value() || store.stat(key, {}).has_value() || !keys ||
           std::ranges::find(*keys, key) != keys->end();
}

}  // namespace storage

std::vector<ConformanceCheck> storage_checks(const StorageFixture& fixture) {
    std::vector<ConformanceCheck> checks;
    storage::add_object_checks(fixture, checks);
    storage::add_write_checks(fixture, checks);
    storage::add_listing_checks(fixture, checks);
    storage::add_protection_checks(fixture, checks);
    storage::add_stop_checks(fixture, checks);
    return checks;
}

}  // namespace openarchiver::testkit
