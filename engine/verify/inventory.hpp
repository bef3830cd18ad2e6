#pragma once

#include <cstdint>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/digest.hpp"

namespace openarchiver::verify {

struct StoredPack {
    archive::Digest id{};
    std::uint64_t size = 0;
    sdk::Timestamp modified_at;
};

/// What the store holds, by its listing.
struct Inventory {
    std::vector<StoredPack> packs;     ///< by id
    std::vector<std::string> foreign;  ///< keys, at most kMaxForeign
    std::uint64_t foreign_count = 0;

    static constexpr std::size_t kMaxForeign = 1000;

    [[nodiscard]] const StoredPack* find(const archive::Digest& id) const;
};

[[nodiscard]] sdk::Result<Inventory> take_inventory(sdk::ObjectStore& store, std::stop_token stop);

}  // namespace openarchiver::verify
