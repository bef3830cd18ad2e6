#pragma once

#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "access/access.hpp"
#include "disposal/item_times.hpp"
#include "pipeline/committer.hpp"

namespace spdlog {
class logger;
}

/// The store's own locks, in step with retention policies and holds (docs/retention.md).
namespace openarchiver::disposal {

struct LockContext {
    const Policies& policies;
    access::ArchiveWriter& archive;
    pipeline::Committer& committer;
    sdk::Clock& clock;
    std::shared_ptr<spdlog::logger> log;
};

/// Where the store offers locks: extends those of packs to the time when all in them expires by
/// the approved policies; sorts packs before their locks are over whose contents expire at
/// different times, or that are small; locks what has no end, and the log, for as long as it is
/// locked each time; puts holds on packs with held items, and takes them off. Leaves a report in
/// the catalog. What can't be locked is told there and in the log; the error is for what ended all
/// of it.
sdk::Status keep_locks(const LockContext& context, std::stop_token stop);

/// ... unless that was done within the last day.
sdk::Status keep_locks_daily(const LockContext& context, std::stop_token stop);

}  // namespace openarchiver::disposal
