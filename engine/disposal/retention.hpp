#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "disposal/item_disposal.hpp"
#include "disposal/item_times.hpp"
#include "profile/profile.hpp"

/// Retention policies: whose time is over.
namespace openarchiver::disposal {

/// The policies as one JSON text, the same for the same policies in the same order. That is what a
/// person approves, and as a whole: whatever changes in one may leave items to another.
[[nodiscard]] std::string definition_of(const Policies& policies);
/// A short name of a definition: who gives it has seen what the policies do.
[[nodiscard]] std::string approval_code(std::string_view definition);
/// As in the profile: "7y", "18mo", "90d" or "forever".
[[nodiscard]] std::string keep_text(const profile::RetentionPolicy& policy);

/// What a policy covers, and what of that is due.
struct PolicyEffect {
    std::uint64_t items = 0;
    std::uint64_t due_items = 0;
    std::uint64_t due_versions = 0;
    std::uint64_t due_bytes = 0;
    std::uint64_t held_items = 0;  ///< that would be due
    /// ... that wait for the store's lock of their pack to end, soon, so that whole packs go.
    std::uint64_t locked_items = 0;
    /// What the due ones are counted from; 0: there are none.
    sdk::Timestamp oldest;
    sdk::Timestamp newest;
};

struct RetentionEffect {
    std::vector<PolicyEffect> policies;  ///< in the order of the profile
    std::uint64_t uncovered_items = 0;
};

/// Calls `visit` for each item that is due, not held and waits for no lock; all its versions are
/// due. An error of it ends the visit.
using VisitDue = std::function<sdk::Status(std::size_t policy, DisposableItem item)>;
sdk::Result<RetentionEffect> find_due(catalog::CatalogReader& catalog, const Policies& policies,
                                      sdk::Timestamp now, const VisitDue& visit,
                                      std::stop_token stop);

struct ApplyRequest {
    std::string approve;  ///< a code, or empty
    std::string by;
};

/// Whether the request would approve the policies; false: they are approved as they are.
/// invalid_argument: there are none, they are not approved in this form, or the code is another
/// one's.
sdk::Result<bool> would_approve(const Policies& policies, const ApplyRequest& request,
                                catalog::CatalogReader& catalog);

/// Disposes of all that is due. Durable on return; what can't be reached any more is out of the
/// packs then, or when a sync finds it worth while. invalid_argument: as of would_approve().
sdk::Result<RetentionEffect> apply_retention(const Policies& policies, const ApplyRequest& request,
                                             const access::ArchiveWriter& archive,
                                             pipeline::Committer& committer, sdk::Clock& clock,
                                             std::stop_token stop);

}  // namespace openarchiver::disposal
