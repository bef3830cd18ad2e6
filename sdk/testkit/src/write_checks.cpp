// Whole objects: replaced, raced for, or not there at all.
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "storage_suite.hpp"

namespace openarchiver::testkit::storage {

namespace {

using namespace std::chrono_literals;

void replacement(sdk::ObjectStore& store, Findings& findings) {
    const Bytes first = random_bytes(300'000, 1);
    const Bytes second = random_bytes(100'000, 2);
    const auto stored = put(store, "replace/object", first, sdk::PutMode::if_absent);
    findings.expect(stored.has_value(), "put(if_absent) of a new key succeeds", outcome_of(stored));
    const auto refused = put(store, "replace/object", second, sdk::PutMode::if_absent);
    findings.expect(failed_with(refused, sdk::Errc::already_exists),
                    "put(if_absent) of a key that is there: already_exists", outcome_of(refused));
    auto read = get(store, "replace/object");
    findings.expect(read && *read == first, "a refused put changes nothing", outcome_of(read));
    const auto replaced = put(store, "replace/object", second);
    findings.expect(replaced.has_value(), "put(replace) succeeds", outcome_of(replaced));
    read = get(store, "replace/object");
    findings.expect(read && *read == second, "put(replace) leaves the new bytes and no others",
                    outcome_of(read));
}

/// Holds the callers of put() where they first read their source, until all are there: by then
/// each has seen that there is no such object. A store that lets one in at a time is let go.
class Gate {
public:
    explicit Gate(std::size_t callers) : callers_(callers) {}

    void pass() {
        std::unique_lock lock(mutex_);
        ++arrived_;
        changed_.notify_all();
        changed_.wait_for(lock, 300ms, [&] { return open_ || arrived_ >= callers_; });
        open_ = true;
        changed_.notify_all();
    }

    /// A caller that was refused before it read anything will not come.
    void skip() {
        const std::lock_guard lock(mutex_);
        --callers_;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;  // guards the rest
    std::condition_variable changed_;
    std::size_t callers_;
    std::size_t arrived_ = 0;
    bool open_ = false;
};

void if_absent_race(const decltype(StorageFixture::open)& open, Findings& findings) {
    const auto first = open();
    const auto second = open();
    if (!findings.expect(first && second, "the store opens twice", outcome_of(second))) {
        return;
    }
    sdk::ObjectStore& store = **first;
    constexpr std::size_t kThreads = 8;
    for (int round = 0; round < 12; ++round) {
        const std::string key = "race/object-" + std::to_string(round);
        std::array<sdk::Status, kThreads> outcomes;
        Gate gate(kThreads);
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < kThreads; ++i) {
                threads.emplace_back([&, i] {
                    bool came = false;
                    MemorySource source(random_bytes(10'000 + i, i));
                    source.on_read([&](std::size_t) {
                        if (!std::exchange(came, true)) {
                            gate.pass();
                        }
                    });
                    sdk::ObjectStore& through = i % 2 == 0 ? store : **second;
                    outcomes[i] = through.put(key, source, sdk::PutMode::if_absent, {});
                    if (!came) {
                        gate.skip();
                    }
                });
            }
        }
        std::size_t winners = 0;
        for (std::size_t i = 0; i < kThreads; ++i) {
            if (outcomes[i]) {
                ++winners;
                const auto read = get(store, key);
                findings.expect(read && *read == random_bytes(10'000 + i, i),
                                "the object has the winner's bytes", outcome_of(read));
            } else {
                findings.expect(failed_with(outcomes[i], sdk::Errc::already_exists),
                                "the others are told already_exists", outcome_of(outcomes[i]));
            }
        }
        if (!findings.expect(winners == 1, "exactly one of eight callers succeeds",
                             std::to_string(winners) + " succeeded")) {
            return;
        }
    }
}

/// Every byte is the same, and the size goes with it: a mix of two versions shows.
Bytes version(std::size_t number) {
    return Bytes(300'000 + 50'000 * (number % 5), static_cast<std::byte>(number % 5));
}

void replace_while_reading(sdk::ObjectStore& store, Findings& findings) {
    const std::string key = "replace-while-reading/object";
    const auto stored = put(store, key, version(0));
    if (!findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored))) {
        return;
    }
    std::atomic<int> writers = 2;
    std::atomic<int> failed_puts = 0;
    std::atomic<int> failed_gets = 0;
    std::atomic<int> mixed = 0;
    {
        std::vector<std::jthread> threads;
        for (std::size_t writer = 0; writer < 2; ++writer) {
            threads.emplace_back([&, writer] {
                for (std::size_t i = 0; i < 40; ++i) {
                    failed_puts += put(store, key, version(writer + i)).has_value() ? 0 : 1;
                }
                --writers;
            });
            threads.emplace_back([&] {
                while (writers > 0) {
                    const auto read = get(store, key);
                    if (!read) {
                        ++failed_gets;
                    } else if (read->empty() ||
                               *read != version(std::to_integer<std::size_t>(read->front()))) {
                        ++mixed;
                    }
                }
            });
        }
    }
    findings.expect(failed_puts == 0, "put(replace) beside others succeeds",
                    std::to_string(failed_puts) + " failed");
    findings.expect(failed_gets == 0, "get() of an object that is being replaced succeeds",
                    std::to_string(failed_gets) + " failed");
    findings.expect(mixed == 0, "get() gives one version, whole",
                    std::to_string(mixed) + " times it did not");
}

void failing_source(sdk::ObjectStore& store, Findings& findings) {
    for (const sdk::PutMode mode : {sdk::PutMode::if_absent, sdk::PutMode::replace}) {
        MemorySource source(random_bytes(2'000'000, 6));
        source.fail_at(1'000'000, {.code = sdk::Errc::unavailable, .message = "source failed"});
        const auto stored = store.put("failing-source/object", source, mode, {});
        findings.expect(failed_with(stored, sdk::Errc::unavailable),
                        "put() returns the error of its source", outcome_of(stored));
        findings.expect(!is_visible(store, "failing-source/object"),
                        "nothing of the object is visible");
    }
    const Bytes whole = bytes_of("whole");
    const auto stored = put(store, "failing-source/kept", whole);
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    MemorySource source(random_bytes(2'000'000, 7));
    source.fail_at(1'000'000, {.code = sdk::Errc::unavailable, .message = "source failed"});
    const auto failed = store.put("failing-source/kept", source, sdk::PutMode::replace, {});
    findings.expect(!failed.has_value(), "put() returns the error of its source");
    const auto read = get(store, "failing-source/kept");
    findings.expect(read && *read == whole, "a failed replacement leaves the earlier object",
                    outcome_of(read));
}

void wrong_size(sdk::ObjectStore& store, Findings& findings) {
    for (const std::uint64_t announced : {99'999ULL, 100'001ULL, 0ULL, 1'000'000ULL}) {
        MemorySource source(random_bytes(100'000, 8));
        source.announce(announced);
        const auto stored = store.put("wrong-size/object", source, sdk::PutMode::if_absent, {});
        findings.expect(!stored.has_value(),
                        "100,000 bytes announced as " + std::to_string(announced) + " are refused");
        findings.expect(!is_visible(store, "wrong-size/object"),
                        "nothing of a refused object is visible");
    }
}

void small_reads(sdk::ObjectStore& store, Findings& findings) {
    const Bytes bytes = random_bytes(50'000, 9);
    MemorySource source(bytes);
    source.piece(7);
    const auto stored = store.put("small-reads/object", source, sdk::PutMode::replace, {});
    const auto read = get(store, "small-reads/object");
    findings.expect(stored && read && *read == bytes,
                    "a source that gives few bytes at a time is read to its end",
                    outcome_of(stored));
}

/// Looked at by another connection while the source is being read.
void visible_too_early(const decltype(StorageFixture::open)& open, Findings& findings) {
    const auto store = open();
    const auto other = open();
    if (!findings.expect(store && other, "the store opens twice", outcome_of(other))) {
        return;
    }
    bool seen = false;
    MemorySource source(random_bytes(2'000'000, 12));
    source.piece(65'536).on_read([&](std::size_t offset) {
        if (offset > 1'000'000 && offset < 2'000'000) {
            seen = seen || is_visible(**other, "early/object");
        }
    });
    const auto stored = (*store)->put("early/object", source, sdk::PutMode::if_absent, {});
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    findings.expect(!seen, "nothing of an object is visible before all of it was read");
    findings.expect(is_visible(**other, "early/object"),
                    "an object is visible to other connections once put() has returned");
}

}  // namespace

void add_write_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(check(fixture,
                           {"replace replaces, if-absent refuses", "storage.hpp, PutMode",
                            "answer Errc::already_exists where there is an object, and change "
                            "nothing; replace the whole object, not its first bytes"},
                           replacement));
    checks.push_back(
        {.promise = {"of eight callers that create an object exactly one succeeds",
                     "storage.hpp, \"If-absent creation has no race\"",
                     "let the store decide in one step (link, INSERT, If-None-Match); looking "
                     "first and storing then is a race"},
         .body = [open = fixture.open](Findings& findings) { if_absent_race(open, findings); }});
    checks.push_back(check(
        fixture,
        {"a reader never sees a mix while an object is replaced", "storage.hpp, \"Whole objects\"",
         "write the new object beside the old one and put it in its place in one step (rename, a "
         "transaction)"},
        replace_while_reading));
    checks.push_back(
        {.promise =
             {"an object is visible only once its put has all bytes",
              "storage.hpp, \"Whole objects\"",
              "write under another name, outside of what list() shows, until all bytes are there"},
         .body = [open = fixture.open](Findings& findings) { visible_too_early(open, findings); }});
    checks.push_back(check(fixture,
                           {"a source that fails half-way leaves nothing behind",
                            "storage.hpp, \"Whole objects\" and ObjectStore::put()",
                            "return the source's error as it is, and drop what was written so far"},
                           failing_source));
    checks.push_back(
        check(fixture,
              {"a source that is not as long as announced is refused",
               "storage.hpp, ObjectStore::put(); bytes.hpp, ByteSource::size()",
               "count the bytes and compare with size() before the object becomes visible"},
              wrong_size));
    checks.push_back(
        check(fixture,
              {"a source may give few bytes at a time", "bytes.hpp, ByteReader::read()",
               "read until 0 comes; a short read is not the end"},
              small_reads));
}

}  // namespace openarchiver::testkit::storage
