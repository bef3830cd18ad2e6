#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/catalog_reader.hpp"
#include "pipeline/sync.hpp"
#include "profile/profile.hpp"

/// The documents that `--json` prints and the service answers (docs/cli.md). The text for people is
/// made from them, too.
namespace openarchiver::service {

/// "2026-03-01T14:05:09.120Z"
[[nodiscard]] std::string iso_time(sdk::Timestamp time);
/// As iso_time(); null for 0.
[[nodiscard]] boost::json::value time_value(sdk::Timestamp time);

[[nodiscard]] boost::json::value error_value(const sdk::Error& error);

/// What became of an account, in the words of `sync --json`: "up_to_date", "importing",
/// "without_mailbox", "excluded", "closed_by_policy", "deleted_upstream", "failed".
[[nodiscard]] std::string_view account_status(const catalog::AccountRecord& account);

/// What the catalog can't know: how a source stands in the running service.
struct LiveSource {
    bool running = false;
    /// As iso_time(); empty: unknown.
    std::string next_run_at;
    std::optional<sdk::Error> error;
    /// Why a run that goes on needs a person; empty: it does not.
    std::string silent;
    /// JSON text (docs/cli.md, Control socket); empty: none.
    std::string progress;
    /// JSON text: its counters since the source was opened; empty: none.
    std::string metrics;
};

using LiveSources = std::map<std::string, LiveSource, std::less<>>;

/// {"sources": [...]}: the profile's sources with their status. `catalog` null: nothing was
/// archived yet; `live` null: no service runs.
[[nodiscard]] sdk::Result<boost::json::value> sources_document(catalog::CatalogReader* catalog,
                                                               const profile::Profile& profile,
                                                               const LiveSources* live,
                                                               const sdk::Clock& clock);

/// `live` as above.
[[nodiscard]] sdk::Result<boost::json::value> accounts_document(
    catalog::CatalogReader& catalog, const std::vector<std::string>& sources,
    const LiveSources* live, const sdk::Clock& clock);

struct FolderFilter {
    std::vector<std::string> sources;
    std::vector<std::string> accounts;  ///< ids or addresses
};

[[nodiscard]] sdk::Result<boost::json::value> folders_document(catalog::CatalogReader& catalog,
                                                               const FolderFilter& filter,
                                                               const LiveSources* live,
                                                               const sdk::Clock& clock);

/// Every item, folder, account and source that could not be archived.
[[nodiscard]] sdk::Result<boost::json::value> failures_document(catalog::CatalogReader& catalog,
                                                                const LiveSources* live);

}  // namespace openarchiver::service
