#pragma once

#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <variant>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/event.hpp"

namespace spdlog {
class logger;
}

namespace openarchiver::pipeline {

/// Gets what was disposed of, or belonged to a forgotten account, out of the packs: a pack with
/// nothing else is dropped, another one is replaced by one with the rest, at once where a fifth of
/// it is to go, else when it is due. Used by the committer's thread.
class PackRewrite {
public:
    using Change = std::variant<catalog::PackStored, catalog::PackDropped>;

    PackRewrite(access::ArchiveWriter& archive, std::shared_ptr<spdlog::logger> log)
        : archive_(archive), log_(std::move(log)) {}

    /// The next change, for the log; the pack in it is durable. Nothing: all is as it has to be by
    /// now. Packs that can't be read are left alone, and told in the log.
    sdk::Result<std::optional<Change>> next(sdk::Timestamp now, std::stop_token stop);

private:
    sdk::Result<catalog::PackStored> rewrite(catalog::CatalogReader& catalog, std::int64_t pack_key,
                                             std::stop_token stop);

    access::ArchiveWriter& archive_;
    std::shared_ptr<spdlog::logger> log_;
    std::set<std::int64_t> unreadable_;
};

}  // namespace openarchiver::pipeline
