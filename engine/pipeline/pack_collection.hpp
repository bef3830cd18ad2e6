#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "access/access.hpp"

namespace openarchiver::pipeline {

/// What was removed.
struct CollectedPacks {
    std::uint64_t replaced = 0;  ///< by compaction
    std::uint64_t unnamed = 0;   ///< left by an interrupted run
    std::uint64_t locked = 0;    ///< ... or replaced, and not removed: the store keeps them
};

/// A reader looks a content's place up right before it reads it, so it needs a replaced pack no
/// longer than that takes.
inline constexpr std::chrono::hours kReplacedPackStays{1};
/// Longer than any commit takes from its pack to the segment that names it.
inline constexpr std::chrono::hours kUnnamedPackStays{24};

/// Removes packs that nothing needs. The catalog knows all that the log says, and no pack is being
/// written: only for who commits.
sdk::Result<CollectedPacks> collect_packs(access::ArchiveWriter& archive, sdk::Timestamp now,
                                          std::stop_token stop);

}  // namespace openarchiver::pipeline
