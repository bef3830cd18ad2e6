#include "pipeline/compaction.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "storage/locking_store.hpp"

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

// A pack of this size is no small one; the others are joined within one of these classes.
constexpr std::array<std::uint64_t, 3> kClasses{64U << 10, 512U << 10, 4U << 20};
// What a pack is made of, decompressed: in memory one pack after another.
constexpr std::uint64_t kMostBytes = 16U << 20;
constexpr std::size_t kMostPacks = 256;

std::size_t class_of(std::uint64_t size) {
    std::size_t number = 0;
    while (number < kClasses.size() && size >= kClasses[number]) {
        ++number;
    }
    return number;
}

/// The first packs of the class that has enough of them.
std::vector<catalog::SmallPack> choose(const std::vector<catalog::SmallPack>& packs) {
    std::array<std::vector<catalog::SmallPack>, kClasses.size()> chosen;
    std::array<std::uint64_t, kClasses.size()> bytes{};
    for (const auto& pack : packs) {
        const std::size_t number = class_of(pack.size);
        if (number < kClasses.size() && chosen[number].size() < kMostPacks &&
            bytes[number] + pack.raw_bytes <= kMostBytes) {
            bytes[number] += pack.raw_bytes;
            chosen[number].push_back(pack);
        }
    }
    for (auto& some : chosen) {
        // Less than enough where they are so full that no more would fit.
        if (some.size() >= Compaction::kEnoughPacks ||
            (some.size() > 1 && bytes[class_of(some.front().size)] > kMostBytes / 2)) {
            return std::move(some);
        }
    }
    return {};
}

}  // namespace

Result<std::optional<catalog::PackStored>> Compaction::next(sdk::Timestamp now,
                                                            std::stop_token stop) {
    using Nothing = std::optional<catalog::PackStored>;
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_folder()));
    // What the store may lock for long, which a catalog made anew does not know, would be there
    // twice.
    const bool locks = archive_.archive().store().capabilities().lock;
    const sdk::Timestamp from(std::chrono::milliseconds(locks ? 1 : 0));
    while (true) {
        OPENARCHIVER_TRY(
            auto packs, catalog->small_packs(kClasses.back(), archive::PackWriter::kFrameSize, from,
                                             now + storage::kFirstLock));
        std::erase_if(packs, [&](const auto& pack) { return unreadable_.contains(pack.key); });
        packs = choose(packs);
        if (packs.empty()) {
            return Nothing();
        }
        archive::PackWriter writer(archive_.spool_folder());
        catalog::PackStored stored;
        bool all_read = true;
        for (const auto& pack : packs) {
            if (stop.stop_requested()) {
                return Error{Errc::cancelled, "stopped"};
            }
            const auto opened = OpenedPack::open(archive_, *catalog, pack.key, stop);
            if (!opened || !opened->complete()) {
                // Chosen anew without it: others may have become too few.
                log_->warn("OA-3006 small packs stay as they are: {}",
                           opened ? "a frame's key is no longer there" : opened.error().message);
                unreadable_.insert(pack.key);
                all_read = false;
                break;
            }
            OPENARCHIVER_CHECK(add(writer, *opened, stored));
        }
        if (!all_read) {
            continue;
        }
        OPENARCHIVER_TRY(stored.pack, writer.finish(archive_.archive().store(), stop));
        return Nothing(std::move(stored));
    }
}

Status Compaction::add(archive::PackWriter& writer, const OpenedPack& pack,
                       catalog::PackStored& stored) {
    catalog::ReplacedPack replaced{.id = pack.id(), .moved = {}};
    for (std::uint32_t number = 0; number < pack.frames().size(); ++number) {
        const auto& frame = pack.frames()[number];
        OPENARCHIVER_TRY(const auto bytes, pack.bytes({number, 0}, frame.size));
        archive::Placement to;
        if (frame.part) {
            OPENARCHIVER_TRY(to.frame, writer.add_part(frame.key, *bytes));
        } else {
            OPENARCHIVER_TRY(to, writer.add(frame.key, *bytes));
        }
        replaced.moved.push_back({{number, 0}, to});
    }
    stored.replaces.push_back(std::move(replaced));
    return {};
}

}  // namespace openarchiver::pipeline
