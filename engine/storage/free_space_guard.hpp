#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "storage/forwarding_store.hpp"

namespace openarchiver::storage {

/// Refuses new packs (resource_exhausted) that would leave the store less free space than `floor`,
/// so that the archive stops in order instead of filling the disk. The space below the floor is for
/// the log, the lease and the keyring: what was taken in is recorded, and disposing and forgetting
/// work on a full disk, too. A store that can't tell its free space is not guarded.
class FreeSpaceGuard final : public ForwardingStore {
public:
    /// The store is asked again after so much time or so many bytes, whichever comes first.
    static constexpr std::chrono::seconds kAskEvery{2};
    static constexpr std::uint64_t kAskAfterBytes = 64U << 20;

    /// Keys that begin with `guarded_prefix` are guarded.
    FreeSpaceGuard(std::unique_ptr<sdk::ObjectStore> inner, std::uint64_t floor, sdk::Clock& clock,
                   std::string guarded_prefix = "packs/");

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override;

private:
    /// The free bytes as last told, less what was written since; nothing where they are unknown.
    std::optional<std::uint64_t> free_bytes(std::stop_token stop);
    sdk::Status reserve(std::uint64_t size, std::stop_token stop);

    const std::uint64_t floor_;
    sdk::Clock& clock_;
    const std::string guarded_prefix_;

    std::mutex mutex_;  // guards everything below
    bool can_tell_ = true;
    std::optional<std::chrono::steady_clock::time_point> asked_at_;
    std::optional<std::uint64_t> told_;
    std::uint64_t written_since_ = 0;
};

}  // namespace openarchiver::storage
