#pragma once

#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "pipeline/committer.hpp"

/// Erasure of one item. What is kept of it are its id, so that it is not archived again, and the
/// sealed events of its account, which go with the account's key.
namespace openarchiver::disposal {

struct ForgetItemRequest {
    std::string ref;
    std::string reason;
    std::string by;
};

struct ForgetItemPlan {
    std::vector<catalog::VersionRecord> versions;  ///< at least one
    /// Holds in force over the item: while there is one, it is not forgotten.
    std::vector<catalog::HoldRecord> holds;
};

/// Whether a text has the form of an item's ref.
[[nodiscard]] bool is_ref(std::string_view text);

/// invalid_argument: no such item.
sdk::Result<ForgetItemPlan> plan_forget_item(catalog::CatalogReader& catalog,
                                             const std::string& ref, std::stop_token stop);

/// Durable on return, and the item's bytes are in a pack no longer, but that packs which were
/// replaced for that stay for an hour. permission_denied: a hold is in force.
sdk::Result<ForgetItemPlan> forget_item(const ForgetItemRequest& request,
                                        const access::ArchiveWriter& archive,
                                        pipeline::Committer& committer, sdk::Clock& clock,
                                        std::stop_token stop);

}  // namespace openarchiver::disposal
