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
    : inner_(std::move(inner)), clock_(clock) {}

sdk::StorageCapabilities LockingStore::capabilities() const {
    return inner_->capabilities();
}

sdk::Status LockingStore::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                              std::stop_token stop) {
    sdk::Status put = inner_->put(key, source, mode, stop);
    const bool there = put || put.error().code == sdk::Errc::already_exists;
    const auto* const rule = std::ranges::find_if(
        kFirstLocks, [&](const FirstLock& first) { return key.starts_with(first.prefix); });
    if (!there || rule == kFirstLocks.end() || mode != sdk::PutMode::if_absent) {
        return put;
    }
    // What is there already may be this very object, from an attempt whose answer was lost.
    const auto until =
        std::chrono::time_point_cast<std::chrono::milliseconds>(clock_.now()) + rule->time;
    sdk::Status locked = inner_->lock(key, until, std::move(stop));
    if (!locked) {
        locked.error().message = "the object " + std::string(key) +
                                 " was stored, but is not locked: " + locked.error().message;
        return locked;
    }
    return put;
}

sdk::Status LockingStore::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                              std::stop_token stop) {
    return inner_->get(key, range, sink, std::move(stop));
}

sdk::Result<sdk::ObjectInfo> LockingStore::stat(std::string_view key, std::stop_token stop) {
    return inner_->stat(key, std::move(stop));
}

sdk::Status LockingStore::list(std::string_view prefix, std::string_view start_after,
                               sdk::ObjectListSink& sink, std::stop_token stop) {
    return inner_->list(prefix, start_after, sink, std::move(stop));
}

sdk::Status LockingStore::remove(std::string_view key, std::stop_token stop) {
    return inner_->remove(key, std::move(stop));
}

sdk::Result<sdk::Capacity> LockingStore::capacity(std::stop_token stop) {
    return inner_->capacity(std::move(stop));
}

sdk::Status LockingStore::lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) {
    return inner_->lock(key, until, std::move(stop));
}

sdk::Status LockingStore::hold(std::string_view key, bool held, std::stop_token stop) {
    return inner_->hold(key, held, std::move(stop));
}

sdk::Result<sdk::Protection> LockingStore::protection(std::string_view key, std::stop_token stop) {
    return inner_->protection(key, std::move(stop));
}

}  // namespace openarchiver::storage
