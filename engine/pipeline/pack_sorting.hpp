#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/event.hpp"

namespace openarchiver::pipeline {

/// Which contents and parts belong together, by key.
struct Grouping {
    std::function<std::int32_t(std::int64_t content)> of_content;
    std::function<std::int32_t(std::int64_t part)> of_part;
};

struct PackToSort {
    std::int64_t key = 0;
    /// Groups up to this one stay where they are.
    std::int32_t staying = 0;
};

struct SortedPacks {
    struct Pack {
        archive::Digest id{};
        std::int32_t group = 0;
    };

    /// Of the archive, for one segment: from then on the contents are in the new packs. An old one
    /// of which nothing stays is not needed any more.
    std::vector<catalog::EventBody> events;
    std::vector<Pack> packs;
};

/// Writes what is in these packs into new ones, durably, each of one group: so that all of a pack
/// can go at once. Used by the committer's thread. Errors are those of PackReader::verify; nothing
/// has changed then.
sdk::Result<SortedPacks> sort_packs(access::ArchiveWriter& archive,
                                    const std::vector<PackToSort>& packs, const Grouping& grouping,
                                    std::stop_token stop);

}  // namespace openarchiver::pipeline
