#include "pipeline/pack_sorting.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "pipeline/opened_pack.hpp"

namespace openarchiver::pipeline {

using sdk::Result;
using sdk::Status;

namespace {

constexpr std::uint64_t kPackBytes = 16U << 20;

/// A content or a part on its way from pack to pack.
struct Piece {
    std::int32_t group = 0;
    std::size_t pack = 0;  // of those that are opened
    archive::Placement from;
    std::uint64_t size = 0;
    bool part = false;
};

/// Writes packs of one group after another.
class Sorting {
public:
    Sorting(access::ArchiveWriter& archive, const std::vector<OpenedPack>& opened)
        : archive_(archive), opened_(opened), writer_(archive.spool_folder()) {}

    Status add(const Piece& piece, std::stop_token stop) {
        if (!writer_.empty() && (piece.group != group_ || writer_.content_bytes() >= kPackBytes)) {
            OPENARCHIVER_CHECK(finish(std::move(stop)));
        }
        group_ = piece.group;
        const OpenedPack& pack = opened_[piece.pack];
        OPENARCHIVER_TRY(const auto bytes, pack.bytes(piece.from, piece.size));
        const auto& key = pack.frames()[piece.from.frame].key;
        archive::Placement to;
        if (piece.part) {
            OPENARCHIVER_TRY(to.frame, writer_.add_part(key, *bytes));
        } else {
            OPENARCHIVER_TRY(to, writer_.add(key, *bytes));
        }
        moved_[pack.id()].push_back({piece.from, to});
        return {};
    }

    Status finish(std::stop_token stop) {
        if (writer_.empty()) {
            return {};
        }
        catalog::PackStored stored;
        OPENARCHIVER_TRY(stored.pack, writer_.finish(archive_.archive().store(), std::move(stop)));
        for (auto& [id, moved] : moved_) {
            stored.takes.push_back({.id = id, .moved = std::move(moved)});
        }
        moved_.clear();
        sorted_.packs.push_back({stored.pack.id, group_});
        sorted_.events.emplace_back(std::move(stored));
        return {};
    }

    void drop(std::size_t pack) {
        sorted_.events.emplace_back(catalog::PackDropped{opened_[pack].id()});
    }

    SortedPacks end() { return std::move(sorted_); }

private:
    access::ArchiveWriter& archive_;
    const std::vector<OpenedPack>& opened_;
    archive::PackWriter writer_;
    std::int32_t group_ = 0;
    std::map<archive::Digest, std::vector<catalog::ReplacedPack::Moved>> moved_;
    SortedPacks sorted_;
};

}  // namespace

Result<SortedPacks> sort_packs(access::ArchiveWriter& archive, const std::vector<PackToSort>& packs,
                               const Grouping& grouping, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    std::vector<OpenedPack> opened;
    std::vector<Piece> pieces;
    std::vector<std::size_t> emptied;
    for (const auto& [key, staying] : packs) {
        OPENARCHIVER_TRY(auto pack, OpenedPack::open(archive, *catalog, key, stop));
        bool some_stay = false;
        const auto take = [&](Piece piece) {
            piece.pack = opened.size();
            if (piece.group > staying) {
                pieces.push_back(piece);
            } else {
                some_stay = true;
            }
        };
        OPENARCHIVER_TRY(const auto contents, catalog->contents_in(key));
        for (const auto& content : contents) {
            take({.group = grouping.of_content(content.key),
                  .from = content.placement,
                  .size = content.size});
        }
        OPENARCHIVER_TRY(const auto parts, catalog->parts_in(pack.id()));
        std::int64_t last = 0;
        for (const auto& part : parts) {
            if (part.key != std::exchange(last, part.key)) {  // once for all that hold it
                take({.group = grouping.of_part(part.key),
                      .from = {part.held.frame, 0},
                      .size = part.held.size,
                      .part = true});
            }
        }
        if (!some_stay) {
            emptied.push_back(opened.size());
        }
        opened.push_back(std::move(pack));
    }
    std::map<std::int32_t, std::vector<Piece>> groups;
    for (const Piece& piece : pieces) {
        groups[piece.group].push_back(piece);
    }
    Sorting sorting(archive, opened);
    for (const auto& [group, of_group] : groups) {
        for (const Piece& piece : of_group) {
            OPENARCHIVER_CHECK(sorting.add(piece, stop));
        }
    }
    OPENARCHIVER_CHECK(sorting.finish(stop));
    for (const std::size_t pack : emptied) {
        sorting.drop(pack);
    }
    return sorting.end();
}

}  // namespace openarchiver::pipeline
