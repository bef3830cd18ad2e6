#pragma once

#include <chrono>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>

#include "storage/forwarding_store.hpp"

namespace openarchiver::storage {

/// A pack waits so long to be joined with others, or sorted by when its contents expire.
inline constexpr std::chrono::days kFirstLock{7};
/// What is kept without an end, and the log, is locked for so long, again and again.
inline constexpr std::chrono::days kRollingLock{90};

/// Locks each object that is put for good before the put counts: a pack for its first days, the
/// log, its heads and the marker for longer. The locks of objects that are there are
/// disposal::keep_locks()'s. For stores that offer locks.
class LockingStore final : public ForwardingStore {
public:
    LockingStore(std::unique_ptr<sdk::ObjectStore> inner, sdk::Clock& clock);

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override;

private:
    sdk::Clock& clock_;
};

}  // namespace openarchiver::storage
