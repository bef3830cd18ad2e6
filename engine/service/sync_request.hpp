#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/sync.hpp"
#include "profile/profile.hpp"
#include "service/exit_code.hpp"

/// A sync as a person asks for it, in the program or handed over to the service.
namespace openarchiver::service {

struct SyncRequest {
    /// Ids; empty: all sources.
    std::vector<std::string> sources;
    /// Ids or addresses; empty: all accounts.
    std::vector<std::string> accounts;
    bool reconcile = false;
    /// Failed items are tried at once, whatever their schedule.
    bool retry_failures = false;
};

[[nodiscard]] std::string to_json(const SyncRequest& request);
[[nodiscard]] sdk::Result<SyncRequest> parse_sync_request(std::string_view json_text);

/// invalid_argument, with the nearest id of the profile.
[[nodiscard]] sdk::Error unknown_source(const profile::Profile& profile, std::string_view id);

/// The profile's sources that were asked for (none: all), in the profile's order. Paused ones are
/// left out; invalid_argument where one is named.
[[nodiscard]] sdk::Result<std::vector<const profile::Source*>> select_sources(
    const profile::Profile& profile, const std::vector<std::string>& ids);

/// invalid_argument when `accounts` names one that none of the sources has.
[[nodiscard]] sdk::Status check_accounts(catalog::CatalogReader& catalog,
                                         const std::vector<const profile::Source*>& sources,
                                         const std::vector<std::string>& accounts);

/// What a sync request ends with; `document` is the one of `sync --json`.
struct SyncResult {
    ExitCode exit_code = ExitCode::done;
    std::string document;
    /// What ended it before its end, in the engine or by a stop; upstream's errors are in the
    /// sources' reports.
    std::optional<sdk::Error> error;
};

/// `archive_failure` cancelled, like a report's error: interrupted.
[[nodiscard]] SyncResult make_sync_result(const std::vector<pipeline::SyncReport>& reports,
                                          std::optional<sdk::Error> archive_failure);

}  // namespace openarchiver::service
