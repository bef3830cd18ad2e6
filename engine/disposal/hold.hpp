#pragma once

#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/item_matcher.hpp"
#include "pipeline/committer.hpp"
#include "search/search.hpp"

/// Legal holds: what they cover is neither disposed of nor forgotten.
namespace openarchiver::disposal {

/// Both are durable on return. invalid_argument: something is missing, unknown or released already.
/// The id of the new hold, which is made here; `by` names a user of the system, or of the API.
sdk::Result<std::string> place_hold(catalog::HoldPlaced request,
                                    const access::ArchiveWriter& archive,
                                    pipeline::Committer& committer, sdk::Clock& clock,
                                    std::stop_token stop);
sdk::Status release_hold(const catalog::HoldReleased& request, const access::ArchiveWriter& archive,
                         pipeline::Committer& committer, sdk::Clock& clock, std::stop_token stop);

/// invalid_argument: there is no such hold, or it is released already.
sdk::Result<catalog::HoldRecord> find_in_force(catalog::CatalogReader& catalog,
                                               const std::string& id);

/// The holds in force that cover the account or may cover what still comes of it: whatever else
/// their scope says, it does not exclude this account.
sdk::Result<std::vector<catalog::HoldRecord>> holds_over(catalog::CatalogReader& catalog,
                                                         const catalog::AccountRecord& account);

/// What a hold covers, as the catalog and the search index are now. Refers to the catalog.
class HoldScope {
public:
    static sdk::Result<HoldScope> make(catalog::CatalogReader& catalog,
                                       const catalog::HoldPlaced& hold, std::stop_token stop);

    /// What a query could not look into is covered: it may be what the hold is about.
    [[nodiscard]] sdk::Result<bool> covers(const catalog::VersionRecord& version) const;

private:
    struct Found {
        std::vector<search::VersionKey> versions;  // sorted
        std::vector<search::VersionKey> searched;
    };

    explicit HoldScope(catalog::ItemMatcher matcher) : matcher_(std::move(matcher)) {}

    catalog::ItemMatcher matcher_;
    std::optional<Found> found_;  // where there is a query
};

/// The holds in force, asked about one item after another. Refers to the catalog.
class HoldsInForce {
public:
    static sdk::Result<HoldsInForce> read(catalog::CatalogReader& catalog, std::stop_token stop);

    /// Those that cover one of the item's versions.
    [[nodiscard]] sdk::Result<std::vector<catalog::HoldRecord>> over(
        const std::vector<catalog::VersionRecord>& item) const;

private:
    std::vector<std::pair<catalog::HoldRecord, HoldScope>> holds_;
};

/// corrupt while the log is not whole: there may be holds that nobody knows.
sdk::Status check_history(const access::ArchiveWriter& archive);

/// permission_denied where there are holds; `what` is under them.
sdk::Status refuse_held(const std::vector<catalog::HoldRecord>& holds, std::string_view what);

/// How many items a hold covers now.
sdk::Result<std::uint64_t> held_items(catalog::CatalogReader& catalog,
                                      const catalog::HoldPlaced& hold, std::stop_token stop);

/// An event of the archive itself, durable on return.
sdk::Status put_event(catalog::EventBody body, pipeline::Committer& committer, sdk::Timestamp at,
                      std::stop_token stop);
/// invalid_argument where `value` says nothing; `what` is what it should say.
sdk::Status check_given(std::string_view value, const char* option, const char* what);

}  // namespace openarchiver::disposal
