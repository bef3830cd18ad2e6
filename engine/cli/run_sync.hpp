#pragma once

#include <string>

#include "cli/command.hpp"
#include "service/sync_request.hpp"

namespace openarchiver::cli {

struct SyncEnd {
    Outcome outcome;
    /// The one of `sync --json`; empty where nothing was started.
    std::string document;
};

/// One pass with its progress: in the service that has the catalog open, or here.
SyncEnd run_sync(Command& command, const service::SyncRequest& request);

}  // namespace openarchiver::cli
