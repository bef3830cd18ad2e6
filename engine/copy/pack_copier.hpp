#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/digest.hpp"
#include "copy/contents.hpp"

namespace openarchiver::copy {

struct CopiedPacks {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
    /// Gone from the source since they were listed.
    std::uint64_t vanished = 0;
    /// The key of each pack whose bytes are not those of its name, with what is wrong.
    std::vector<std::string> damage;
};

/// Copies the packs that `target_has` does not have with the size they should have, several at a
/// time; each is checked against its name before it is stored. `progress` is told of each, from any
/// of the threads, one at a time.
[[nodiscard]] sdk::Result<CopiedPacks> copy_packs(
    sdk::ObjectStore& source, sdk::ObjectStore& target, const Packs& packs, const Packs& target_has,
    const std::filesystem::path& spool_folder,
    const std::function<void(const CopiedPacks&)>& progress, const std::stop_token& stop);

}  // namespace openarchiver::copy
