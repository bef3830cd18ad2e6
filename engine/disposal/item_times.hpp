#pragma once

#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "profile/profile.hpp"

namespace openarchiver::disposal {

using Policies = std::vector<profile::RetentionPolicy>;

/// How long an item is kept, all its versions together.
struct ItemTime {
    /// The number of the policy that counts; absent: none covers it.
    std::optional<std::size_t> policy;
    sdk::Timestamp from;                ///< what the time is counted from, with a policy
    std::optional<sdk::Timestamp> end;  ///< absent: it is kept for ever
};

/// The versions of an item, oldest first.
using ItemVersions = std::vector<catalog::VersionRecord>;

/// All items of a catalog, one after another. An error of `visit` ends it.
sdk::Status visit_items(
    catalog::CatalogReader& catalog, const Policies& policies,
    const std::function<sdk::Status(const ItemVersions&, const ItemTime&)>& visit,
    std::stop_token stop);

/// The first moment in which what is counted from `from` is no longer kept. A day that a month does
/// not have is that month's last.
[[nodiscard]] sdk::Timestamp end_of(sdk::Timestamp from, profile::RetentionPolicy::Time keep);

}  // namespace openarchiver::disposal
