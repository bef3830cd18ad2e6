#pragma once

#include <chrono>

#include "pipeline/sync.hpp"

namespace openarchiver::pipeline {

/// sync_source() on a schedule: accounts that were imported come first, and once the next run is
/// due, what is still being imported ends its turn and goes on there.
SyncReport sync_on_schedule(OpenSource& source, Committer& committer,
                            const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                            const std::shared_ptr<spdlog::logger>& log,
                            std::chrono::steady_clock::time_point next_run_at,
                            SyncProgress& progress, std::stop_token stop);

}  // namespace openarchiver::pipeline
