#pragma once

#include <cstdint>
#include <map>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>

#include "archive/digest.hpp"

namespace openarchiver::copy {

/// The packs of a store with their sizes.
using Packs = std::map<archive::Digest, std::uint64_t>;

[[nodiscard]] sdk::Result<Packs> list_packs(sdk::ObjectStore& store, std::stop_token stop);

struct Logs {
    /// The last segment of each writer that is there with all before it.
    std::map<std::string, std::uint64_t> last;
    /// The first key that is missing where a log goes on beyond a gap; empty: none.
    std::string missing;
};

[[nodiscard]] sdk::Result<Logs> list_logs(sdk::ObjectStore& store, std::stop_token stop);

/// Objects that are copied as they are and checked by nothing but their size, with that size.
using Others = std::map<std::string, std::uint64_t>;

[[nodiscard]] sdk::Result<Others> list_others(sdk::ObjectStore& store, std::stop_token stop);

}  // namespace openarchiver::copy
