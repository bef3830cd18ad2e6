#include "pipeline/pack_rewrite.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "pipeline/opened_pack.hpp"

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

bool is_due(const catalog::PackToRewrite& pack, sdk::Timestamp now) {
    return pack.by <= now || pack.kept_bytes <= pack.raw_bytes / 5 * 4;
}

}  // namespace

Result<std::optional<PackRewrite::Change>> PackRewrite::next(sdk::Timestamp now,
                                                             std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_folder()));
    OPENARCHIVER_TRY(const auto packs, catalog->packs_to_rewrite());
    for (const auto& pack : packs) {
        if (pack.kept_bytes == 0) {
            return std::optional<Change>(catalog::PackDropped{pack.id});
        }
        if (!is_due(pack, now) || unreadable_.contains(pack.key)) {
            continue;
        }
        auto stored = rewrite(*catalog, pack.key, stop);
        if (stored) {
            return std::optional<Change>(std::move(*stored));
        }
        if (stored.error().code == Errc::cancelled) {
            return stored.error();
        }
        log_->warn("OA-4008 a pack still has what was disposed of: {}", stored.error().message);
        unreadable_.insert(pack.key);
    }
    return std::optional<Change>();
}

Result<catalog::PackStored> PackRewrite::rewrite(catalog::CatalogReader& catalog,
                                                 std::int64_t pack_key, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto opened, OpenedPack::open(archive_, catalog, pack_key, stop));
    OPENARCHIVER_TRY(const auto contents, catalog.contents_in(pack_key));
    OPENARCHIVER_TRY(const auto parts, catalog.parts_in(opened.id()));
    archive::PackWriter writer(archive_.spool_folder());
    catalog::ReplacedPack replaced{.id = opened.id(), .moved = {}};
    for (const auto& [key, from, size] : contents) {
        OPENARCHIVER_TRY(const auto bytes, opened.bytes(from, size));
        OPENARCHIVER_TRY(const auto to, writer.add(opened.frames()[from.frame].key, *bytes));
        replaced.moved.push_back({from, to});
    }
    const catalog::PartRecord* last = nullptr;
    for (const auto& part : parts) {
        if (last != nullptr && last->key == part.key) {
            continue;  // once for each account that holds it
        }
        last = &part;
        const archive::Placement from{part.held.frame, 0};
        OPENARCHIVER_TRY(const auto bytes, opened.bytes(from, part.held.size));
        OPENARCHIVER_TRY(const auto frame,
                         writer.add_part(opened.frames()[from.frame].key, *bytes));
        replaced.moved.push_back({from, {frame, 0}});
    }
    std::ranges::sort(replaced.moved, {}, [](const auto& moved) {
        return std::pair(moved.from.frame, moved.from.offset);
    });
    catalog::PackStored stored;
    OPENARCHIVER_TRY(stored.pack, writer.finish(archive_.archive().store(), stop));
    stored.replaces.push_back(std::move(replaced));
    return stored;
}

}  // namespace openarchiver::pipeline
