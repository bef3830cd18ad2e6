#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "access/key_rotation.hpp"
#include "catalog/catalog_reader.hpp"

/// Erasure of an account: its key is destroyed, so that nothing sealed with it can be read again,
/// wherever it is kept.
namespace openarchiver::disposal {

struct ForgetRequest {
    std::string account;                ///< id or address
    std::optional<std::string> source;  ///< needed where several have such an account
    std::string reason;
    std::string by;
};

/// What forgetting an account takes away, and what stands against it.
struct ForgetPlan {
    catalog::AccountRecord account;
    std::uint64_t items = 0;
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;
    /// Holds in force over the account: while there is one, it is not forgotten.
    std::vector<catalog::HoldRecord> holds;
};

/// invalid_argument: no such account, several of them, or it was forgotten already.
sdk::Result<ForgetPlan> plan_forget(catalog::CatalogReader& catalog, const ForgetRequest& request);

struct Forgotten {
    ForgetPlan plan;
    /// The keyring's new master key, where it is in a file and could be replaced.
    std::optional<access::Rotation> rotation;
    /// Why there is no new master key, and what to do; empty where there is one.
    std::string old_key_remains;
};

/// In this order, each durable before the next: the log says it, the catalog has purged it, the key
/// is gone from the keyring, the search index has purged it, the keyring has a new master key. A
/// crash in between is made up for when the archive is opened next (by the search index when it is
/// filled next), but for the master key. Opens and closes the archive itself.
/// already_exists: another engine has it open; permission_denied: a hold is in force;
/// unsupported: the archive is not encrypted, so there is no key to destroy.
sdk::Result<Forgotten> forget(const access::Context& context, const ForgetRequest& request,
                              const std::function<void(std::string_view)>& announce,
                              std::stop_token stop);

}  // namespace openarchiver::disposal
