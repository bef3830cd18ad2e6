#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "access/access.hpp"
#include "service/run_progress.hpp"
#include "service/sync_request.hpp"

namespace openarchiver::service {

/// One pass over the requested sources, side by side, without a service: what the verb `sync` does
/// in the program. The error says what kept it from starting. `announce` is told what people must
/// know about a new archive; `board` shows the runs while they last.
///
/// A stop lets what is in flight become durable. Calls that do not come back within kStopWithin
/// are abandoned: then `abandoned` is called, which must end the process.
struct SyncOnce {
    const access::Context& context;
    const SyncRequest& request;
    ProgressBoard& board;
    std::function<void(std::string_view)> announce;
    std::function<void()> abandoned;

    /// Where a start failed, for the exit code.
    Origin origin = Origin::profile;

    sdk::Result<SyncResult> run(std::stop_token stop);
};

}  // namespace openarchiver::service
