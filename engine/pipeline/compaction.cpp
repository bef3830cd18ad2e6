#include "pipeline/compaction.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "archive/object_io.hpp"
#include "archive/part_key.hpp"

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

/// A pack, opened.
struct Compaction::Contents {
    struct Piece {
        archive::AccountKey key;
        bool part = false;
        std::string bytes;
    };

    archive::Digest id{};
    std::vector<Piece> frames;  // by number

    ~Contents() {
        for (auto& frame : frames) {
            archive::wipe_key(frame.key);
        }
    }

    Contents() = default;
    Contents(Contents&&) = default;
    Contents& operator=(Contents&&) = default;
};

Result<std::optional<catalog::PackStored>> Compaction::next(std::stop_token stop) {
    using Nothing = std::optional<catalog::PackStored>;
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_folder()));
    while (true) {
        OPENARCHIVER_TRY(auto packs,
                         catalog->small_packs(kClasses.back(), archive::PackWriter::kFrameSize));
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
            auto contents = read(*catalog, pack.key, stop);
            if (!contents) {
                // Chosen anew without it: others may have become too few.
                log_->warn("small packs stay as they are: {}", contents.error().message);
                unreadable_.insert(pack.key);
                all_read = false;
                break;
            }
            OPENARCHIVER_CHECK(add(writer, std::move(*contents), stored));
        }
        if (!all_read) {
            continue;
        }
        OPENARCHIVER_TRY(stored.pack, writer.finish(archive_.archive().store(), stop));
        return Nothing(std::move(stored));
    }
}

/// All frames of a pack, the whole of which is as it was written.
Result<Compaction::Contents> Compaction::read(catalog::CatalogReader& catalog,
                                              std::int64_t pack_key, std::stop_token stop) {
    const auto& keyring = archive_.archive().keyring();
    OPENARCHIVER_TRY(const auto pack, catalog.pack(pack_key));
    OPENARCHIVER_TRY(const auto parts, catalog.parts_in(pack.id));
    std::map<archive::KeyId, archive::AccountKey> part_keys;
    for (const auto& part : parts) {
        const auto holder = keyring.find(part.source, part.account);
        if (holder && !part_keys.contains(part.held.key)) {
            OPENARCHIVER_TRY(const auto key,
                             archive::unwrap_part_key(*holder, part.held.key, part.held.wrapped));
            part_keys.emplace(part.held.key, key);
        }
    }
    Contents contents;
    contents.id = pack.id;
    contents.frames.resize(pack.frames.size());
    std::size_t opened = 0;
    const Status verified = archive_.archive().packs().verify(
        pack, std::move(stop), part_keys, [&](std::uint32_t index, std::span<const std::byte> raw) {
            auto& piece = contents.frames[index];
            piece.bytes.assign(reinterpret_cast<const char*>(raw.data()), raw.size());
            const auto part = part_keys.find(pack.frames[index].key);
            piece.part = part != part_keys.end();
            if (piece.part) {
                piece.key = part->second;
            } else if (auto key = keyring.find(pack.frames[index].key)) {
                piece.key = *key;
            }
            ++opened;
        });
    for (auto& [id, key] : part_keys) {
        archive::wipe_key(key);
    }
    OPENARCHIVER_CHECK(verified);
    if (opened != pack.frames.size()) {
        return Error{Errc::not_found,
                     "pack " + archive::pack_key(pack.id) + " has frames of a forgotten account"};
    }
    return contents;
}

Status Compaction::add(archive::PackWriter& writer, Contents contents,
                       catalog::PackStored& stored) {
    catalog::ReplacedPack replaced{.id = contents.id, .frames = {}};
    for (const auto& frame : contents.frames) {
        archive::TextSource bytes(frame.bytes);
        if (frame.part) {
            OPENARCHIVER_TRY(const auto number, writer.add_part(frame.key, bytes));
            replaced.frames.push_back({number, 0});
        } else {
            OPENARCHIVER_TRY(const auto placement, writer.add(frame.key, bytes));
            replaced.frames.push_back(placement);
        }
    }
    stored.replaces.push_back(std::move(replaced));
    return {};
}

}  // namespace openarchiver::pipeline
