// Locks and holds, of stores that offer them.
#include <algorithm>
#include <chrono>
#include <thread>

#include "storage_suite.hpp"

namespace openarchiver::testkit::storage {

namespace {

using namespace std::chrono_literals;

constexpr auto kShort = 4s;
constexpr auto kLonger = 6s;
/// By how much a store may round the end of a lock.
constexpr auto kRounding = 60s;

sdk::Timestamp now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

/// Stores an object, and tells whether that went well.
bool store_object(sdk::ObjectStore& store, const std::string& key, Findings& findings) {
    const auto stored = put(store, key, bytes_of(key), sdk::PutMode::if_absent);
    return findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
}

void expect_locked(sdk::ObjectStore& store, const std::string& key, sdk::Timestamp until,
                   Findings& findings) {
    const auto protection = store.protection(key, {});
    if (findings.expect(protection && protection->locked_until.has_value(),
                        "protection() tells the lock", outcome_of(protection))) {
        findings.expect(*protection->locked_until >= until,
                        "the lock lasts as long as the longest that was asked for");
        findings.expect(*protection->locked_until < until + kRounding,
                        "the lock does not last longer than was asked for");
    }
}

void expect_refused(sdk::ObjectStore& store, const std::string& key, std::string_view what,
                    Findings& findings) {
    const auto removed = store.remove(key, {});
    findings.expect(failed_with(removed, sdk::Errc::permission_denied),
                    "remove() of " + std::string(what) + ": permission_denied",
                    outcome_of(removed));
    const auto read = get(store, key);
    findings.expect(read && *read == bytes_of(key),
                    "an object whose removal is refused stays as it is", outcome_of(read));
}

/// Locks end by the store's clock, which may be another one.
void expect_removed(sdk::ObjectStore& store, const std::string& key, std::string_view when,
                    Findings& findings) {
    auto removed = store.remove(key, {});
    for (int tries = 0; tries < 50 && !removed; ++tries) {
        std::this_thread::sleep_for(200ms);
        removed = store.remove(key, {});
    }
    findings.expect(removed.has_value(), "remove() succeeds " + std::string(when),
                    outcome_of(removed));
    findings.expect(!is_visible(store, key), "a removed object is gone at once");
}

void locking(sdk::ObjectStore& store, Findings& findings) {
    const std::string key = "lock/object";
    if (!store.capabilities().lock) {
        const auto locked = store.lock(key, now() + kShort, {});
        findings.expect(failed_with(locked, sdk::Errc::unsupported),
                        "lock() of a store that does not offer it: unsupported",
                        outcome_of(locked));
        return;
    }
    const auto absent = store.lock("lock/absent", now() + kShort, {});
    findings.expect(failed_with(absent, sdk::Errc::not_found),
                    "lock() of an absent object: not_found", outcome_of(absent));
    const auto unknown = store.protection("lock/absent", {});
    findings.expect(failed_with(unknown, sdk::Errc::not_found),
                    "protection() of an absent object: not_found", outcome_of(unknown));
    if (!store_object(store, key, findings)) {
        return;
    }
    const auto free = store.protection(key, {});
    findings.expect(free && !free->locked_until && !free->held,
                    "an object is neither locked nor held unless that was asked for",
                    outcome_of(free));
    const auto first = now() + kShort;
    auto locked = store.lock(key, first, {});
    if (!findings.expect(locked.has_value(), "lock() succeeds", outcome_of(locked))) {
        return;
    }
    expect_locked(store, key, first, findings);
    expect_refused(store, key, "a locked object", findings);
    locked = store.lock(key, now() + 2s, {});
    findings.expect(locked.has_value(),
                    "lock() that is shorter than the one that is there succeeds",
                    outcome_of(locked));
    expect_locked(store, key, first, findings);
    const auto second = now() + kLonger;
    locked = store.lock(key, second, {});
    findings.expect(locked.has_value(), "lock() extends a lock", outcome_of(locked));
    expect_locked(store, key, second, findings);
    std::this_thread::sleep_until(first);
    if (now() + 1s < second) {
        expect_refused(store, key, "an object whose lock was extended", findings);
    }
    std::this_thread::sleep_until(second);
    expect_removed(store, key, "once the lock is over", findings);
}

void holding(sdk::ObjectStore& store, Findings& findings) {
    const std::string key = "hold/object";
    if (!store.capabilities().hold) {
        const auto held = store.hold(key, true, {});
        findings.expect(failed_with(held, sdk::Errc::unsupported),
                        "hold() of a store that does not offer it: unsupported", outcome_of(held));
        return;
    }
    const auto absent = store.hold("hold/absent", true, {});
    findings.expect(failed_with(absent, sdk::Errc::not_found),
                    "hold() of an absent object: not_found", outcome_of(absent));
    if (!store_object(store, key, findings)) {
        return;
    }
    auto held = store.hold(key, true, {});
    findings.expect(held.has_value(), "hold() succeeds", outcome_of(held));
    auto protection = store.protection(key, {});
    findings.expect(protection && protection->held, "protection() tells the hold",
                    outcome_of(protection));
    expect_refused(store, key, "an object under a hold", findings);
    const auto until = now() + kShort;
    if (store.capabilities().lock) {
        const auto locked = store.lock(key, until, {});
        findings.expect(locked.has_value(), "lock() of an object under a hold succeeds",
                        outcome_of(locked));
    }
    held = store.hold(key, false, {});
    findings.expect(held.has_value(), "hold() takes a hold off", outcome_of(held));
    protection = store.protection(key, {});
    findings.expect(protection && !protection->held, "a hold that was taken off is not told",
                    outcome_of(protection));
    if (store.capabilities().lock && now() + 1s < until) {
        expect_refused(store, key, "an object whose lock outlasts its hold", findings);
        std::this_thread::sleep_until(until);
    }
    expect_removed(store, key, "once neither hold nor lock is there", findings);
}

}  // namespace

void add_protection_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(
        check(fixture,
              {"a locked object stays until the lock is over, and no longer",
               "storage.hpp, ObjectStore::lock()",
               "let the store itself enforce the lock; keep the longest, ask the store afterwards "
               "what it keeps, and answer remove() with Errc::permission_denied meanwhile"},
              locking));
    checks.push_back(check(
        fixture,
        {"a held object stays until the hold is taken off", "storage.hpp, ObjectStore::hold()",
         "let the store itself enforce the hold, beside the lock: neither ends "
         "the other"},
        holding));
}

}  // namespace openarchiver::testkit::storage
