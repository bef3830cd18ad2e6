#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <vector>

#include "archive/digest.hpp"
#include "archive/spool.hpp"

namespace openarchiver::archive {

/// A content as it goes into packs: as it came, or decoded as far as that can be undone exactly.
struct SplitContent {
    struct Part {
        Digest id{};  ///< SHA-256 of its bytes
        std::uint64_t size = 0;
    };

    Spool stored;           ///< the content, or its composition
    bool composed = false;  ///< which of the two
    Spool part_bytes;       ///< of all parts, one after another
    std::vector<Part> parts;
};

/// Decoded pieces of base64 from this size on become parts.
inline constexpr std::uint64_t kPartSize = 4U << 10;

/// Finds the pieces of base64 in any bytes: where a line begins, as far as lines of base64 go.
/// Knows nothing of MIME, so no broken structure can mislead it. Proves the result by making the
/// content again. Memory is bounded whatever the size; `spool_folder` takes what exceeds that.
sdk::Result<SplitContent> split_content(Spool content, const std::filesystem::path& spool_folder);

}  // namespace openarchiver::archive
