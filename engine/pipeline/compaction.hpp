#pragma once

#include <cstdint>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/event.hpp"
#include "pipeline/opened_pack.hpp"

namespace spdlog {
class logger;
}

namespace openarchiver::pipeline {

/// Puts what is in many small packs into one: new mail comes as a trickle, a pack a second. Packs
/// are joined with others about as large once there are enough, so that a byte is moved a few times
/// in its life and not each time. Used by the committer's thread.
class Compaction {
public:
    static constexpr std::size_t kEnoughPacks = 16;

    Compaction(access::ArchiveWriter& archive, std::shared_ptr<spdlog::logger> log)
        : archive_(archive), log_(std::move(log)) {}

    /// Writes the next pack, durably, and tells which ones it replaces; nothing where there are not
    /// enough small ones that the store does not keep for long. Packs that can't be read are left
    /// alone, and told in the log.
    sdk::Result<std::optional<catalog::PackStored>> next(sdk::Timestamp now, std::stop_token stop);

private:
    static sdk::Status add(archive::PackWriter& writer, const OpenedPack& pack,
                           catalog::PackStored& stored);

    access::ArchiveWriter& archive_;
    std::shared_ptr<spdlog::logger> log_;
    std::set<std::int64_t> unreadable_;
};

}  // namespace openarchiver::pipeline
