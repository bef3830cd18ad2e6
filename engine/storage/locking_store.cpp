#include "storage/locking_store.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace openarchiver::storage {

namespace {

struct FirstLock {
    std::string_view prefix;
    std::chrono::days time;
};

constexpr std::array kFirstLocks{FirstLock{"packs/", kFirstLock}, FirstLock{"log/", kRollingLock},
                                 FirstLock{"heads/", kRollingLock},
                                 FirstLock{"archive", kRollingLock}};

}  // namespace

LockingStore::LockingStore(std::unique_ptr<sdk::ObjectStore> inner, sdk::Clock& clock)
    : ForwardingStore(std::move(inner)), clock_(clock) {}

sdk::Status LockingStore::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                              std::stop_token stop) {
    sdk::Status put = inner().put(key, source, mode, stop);
    const bool there = put || put.error().code == sdk::Errc::already_exists;
    const auto* const rule = std::ranges::find_if(
        kFirstLocks, [&](const FirstLock& first) { return key.starts_with(first.prefix); });
    if (!there || rule == kFirstLocks.end() || mode != sdk::PutMode::if_absent) {
        return put;
    }
    // What is there already may be this very object, from an attempt whose answer was lost.
    const auto until = sdk::timestamp_of(clock_) + rule->time;
    sdk::Status locked = inner().lock(key, until, std::move(stop));
    if (!locked) {
        locked.error().message = "the object " + std::string(key) +
                                 " was stored, but is not locked: " + locked.error().message;
        return locked;
    }
    return put;
}

}  // namespace openarchiver::storage
