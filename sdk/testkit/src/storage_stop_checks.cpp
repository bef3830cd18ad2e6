// Stop tokens: every call notices them within a second.
#include <chrono>
#include <thread>

#include "storage_suite.hpp"

namespace openarchiver::testkit::storage {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// With a second for scheduling on a busy machine.
constexpr auto kPatience = 2s;

class StoppingListSink final : public sdk::ObjectListSink {
public:
    explicit StoppingListSink(std::stop_source& stop) : stop_(stop) {}

    bool object(const sdk::ObjectInfo&) override {
        stop_.request_stop();
        std::this_thread::sleep_for(50ms);  // a slow receiver
        return true;
    }

private:
    std::stop_source& stop_;
};

void stopped_before(sdk::ObjectStore& store, Findings& findings) {
    const auto stored = put(store, "stopped/there", bytes_of("there"));
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    std::stop_source stop;
    stop.request_stop();
    const auto expect_cancelled = [&](const auto& result, std::string_view call) {
        findings.expect(failed_with(result, sdk::Errc::cancelled),
                        std::string(call) + " with a triggered token: cancelled",
                        outcome_of(result));
    };
    MemorySource source("new");
    expect_cancelled(store.put("stopped/new", source, sdk::PutMode::if_absent, stop.get_token()),
                     "put()");
    CollectingSink sink;
    expect_cancelled(store.get("stopped/there", {}, sink, stop.get_token()), "get()");
    expect_cancelled(store.stat("stopped/there", stop.get_token()), "stat()");
    StoppingListSink keys(stop);
    expect_cancelled(store.list("stopped/", "", keys, stop.get_token()), "list()");
    expect_cancelled(store.remove("stopped/there", stop.get_token()), "remove()");
    findings.expect(sink.bytes().empty(), "a stopped get() writes nothing");
    findings.expect(!is_visible(store, "stopped/new"), "a stopped put() stores nothing");
    findings.expect(is_visible(store, "stopped/there"), "a stopped remove() removes nothing");
}

void stopped_during_put(sdk::ObjectStore& store, Findings& findings) {
    std::stop_source stop;
    Clock::time_point stopped_at;
    const Bytes bytes = random_bytes(4'000'000, 10);
    MemorySource source(bytes);
    source.piece(4'000).on_read([&](std::size_t offset) {
        if (offset == 40'000) {
            stopped_at = Clock::now();
            stop.request_stop();
        }
        if (offset >= 40'000) {
            std::this_thread::sleep_for(10ms);  // a slow source: 10 s in all
        }
    });
    const auto stored =
        store.put("stopped-put/object", source, sdk::PutMode::if_absent, stop.get_token());
    findings.expect(Clock::now() - stopped_at < kPatience,
                    "put() returns soon after its token is triggered");
    findings.expect(failed_with(stored, sdk::Errc::cancelled), "put() returns cancelled",
                    outcome_of(stored));
    findings.expect(!is_visible(store, "stopped-put/object"),
                    "nothing of the cancelled object is visible");
}

void stopped_during_get(sdk::ObjectStore& store, Findings& findings) {
    const auto stored = put(store, "stopped-get/object", random_bytes(20'000'000, 11));
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    std::stop_source stop;
    Clock::time_point stopped_at;
    CollectingSink sink;
    sink.on_write([&](std::size_t) -> sdk::Status {
        if (!stop.stop_requested()) {
            stopped_at = Clock::now();
            stop.request_stop();
        }
        std::this_thread::sleep_for(100ms);  // a slow sink
        return {};
    });
    const auto read = store.get("stopped-get/object", {}, sink, stop.get_token());
    findings.expect(Clock::now() - stopped_at < kPatience,
                    "get() returns soon after its token is triggered");
    findings.expect(failed_with(read, sdk::Errc::cancelled), "get() returns cancelled",
                    outcome_of(read));
}

void stopped_during_list(sdk::ObjectStore& store, Findings& findings) {
    std::vector<std::string> keys;
    for (int i = 0; i < 100; ++i) {
        keys.push_back("stopped-list/" + std::to_string(i));
    }
    put_all(store, keys, findings);
    std::stop_source stop;
    StoppingListSink sink(stop);
    const auto start = Clock::now();
    const auto listed = store.list("stopped-list/", "", sink, stop.get_token());
    findings.expect(Clock::now() - start < kPatience,
                    "list() returns soon after its token is triggered");
    findings.expect(failed_with(listed, sdk::Errc::cancelled), "list() returns cancelled",
                    outcome_of(listed));
}

}  // namespace

void add_stop_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(check(fixture,
                           {"a token that is triggered before a call cancels it",
                            "storage.hpp, \"Every call notices its stop token\"",
                            "ask the stop token first, and answer Errc::cancelled"},
                           stopped_before));
    checks.push_back(
        check(fixture,
              {"put() notices its stop token while it reads its source",
               "storage.hpp, \"Every call notices its stop token\"",
               "ask the stop token before each read of the source; drop what was written"},
              stopped_during_put));
    checks.push_back(check(fixture,
                           {"get() notices its stop token while it writes to its sink",
                            "storage.hpp, \"Every call notices its stop token\"",
                            "ask the stop token between pieces of at most some hundred KiB"},
                           stopped_during_get));
    checks.push_back(check(
        fixture,
        {"list() notices its stop token", "storage.hpp, \"Every call notices its stop token\"",
         "ask the stop token before each object that you report"},
        stopped_during_list));
}

}  // namespace openarchiver::testkit::storage
