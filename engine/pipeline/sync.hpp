#pragma once

#include <chrono>
#include <memory>
#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "access/access.hpp"
#include "pipeline/committer.hpp"
#include "pipeline/progress.hpp"

namespace openarchiver::pipeline {

/// A source with an open session.
struct OpenSource {
    profile::Source profile;
    std::unique_ptr<plugin::PluginServices> services;
    std::unique_ptr<sdk::ProviderSession> session;
    /// The day on which the log last reminded of a credential that expires.
    std::chrono::sys_days reminded_on{};
};

/// Opens a source's session; no network. invalid_config: names the source and what to do.
sdk::Result<std::unique_ptr<OpenSource>> open_source(const access::Context& context,
                                                     const profile::Source& source,
                                                     plugin::SecretVault* vault,
                                                     sdk::Waker* waker = nullptr);

struct SyncOptions {
    /// Ids or addresses; empty: all accounts.
    std::vector<std::string> accounts;
    /// List every folder anew, to catch what deltas lose; nothing known is downloaded.
    bool reconcile = false;
};

/// One pass over a source: discovery, then every account and folder. Blocks until it is done and
/// durable, or `stop`; at most one at a time for a source, any number for different sources.
/// Everything acknowledged before a stop or an error is safe.
SyncReport sync_source(OpenSource& source, Committer& committer,
                       const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                       const std::shared_ptr<spdlog::logger>& log, const SyncOptions& options,
                       SyncProgress& progress, std::stop_token stop);

/// How a source stands, from its catalog row and failures.
struct SourceHealth {
    SourceStatus status = SourceStatus::pending;
    std::uint64_t outstanding_failures = 0;
    /// As of the last run.
    std::optional<sdk::Timestamp> credentials_expire;
    /// What needs a person, in a sentence or two; empty where nothing does.
    std::string reason;
};

sdk::Result<SourceHealth> source_health(catalog::CatalogReader& catalog, std::string_view source_id,
                                        sdk::Timestamp now);

}  // namespace openarchiver::pipeline
