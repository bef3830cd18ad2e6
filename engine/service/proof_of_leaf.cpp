#include "service/proof_of_leaf.hpp"

#include <string>
#include <tuple>
#include <utility>

#include "archive/object_io.hpp"
#include "evidence/object_keys.hpp"

namespace openarchiver::service {

namespace {

using Opened = std::pair<std::string, evidence::LeafSalt>;

/// What opens a leaf, from the event that has it. `version` absent: it is of a disposal.
sdk::Result<Opened> read_leaf(archive::Archive& archive, const catalog::LeafRecord& leaf,
                              const catalog::VersionRecord* version, std::stop_token stop) {
    const std::string& id = archive.marker().archive_id;
    constexpr std::uint64_t kMaxSegment = std::uint64_t{256} << 20;
    const std::string key = archive::segment_key(leaf.writer, leaf.sequence);
    OPENARCHIVER_TRY(const std::string object,
                     archive::read_object(archive.store(), key, kMaxSegment, std::move(stop)));
    OPENARCHIVER_TRY(const auto segment, archive::decode_segment(object, archive.keyring()));
    for (const auto& block : segment.blocks) {
        if (block.forgotten) {
            continue;
        }
        OPENARCHIVER_TRY(const auto group, catalog::decode(block.events));
        for (const auto& event : group.events) {
            const auto* item = std::get_if<catalog::ItemArchived>(&event.body);
            if (version != nullptr && item != nullptr && item->leaf == leaf.leaf &&
                item->content == version->content) {
                return Opened(catalog::statement_of(id, group, event.at, *item), item->salt);
            }
            const auto* disposal = std::get_if<catalog::Disposal>(&event.body);
            if (version == nullptr && disposal != nullptr && disposal->leaf == leaf.leaf) {
                return Opened(catalog::statement_of(id, event.at, *disposal), disposal->salt);
            }
        }
    }
    return sdk::Error{.code = sdk::Errc::corrupt,
                      .message = "object " + key +
                                 " does not tell of it: run "
                                 "`openarchiver verify`"};
}

/// The oldest head with a timestamp that covers the leaf: it proves the earliest time. Without one,
/// the newest head.
sdk::Result<std::pair<std::string, std::string>> choose_head(catalog::CatalogReader& catalog,
                                                             archive::Archive& archive,
                                                             std::uint64_t leaf,
                                                             const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto newest, catalog.newest_head());
    OPENARCHIVER_TRY(const auto timestamps, evidence::list_timestamps(archive.store(), stop));
    std::optional<std::pair<std::uint64_t, std::string>> oldest;
    for (const std::uint64_t number : timestamps) {  // the newest first
        OPENARCHIVER_TRY(auto note, catalog.head(number));
        if (!note) {
            continue;
        }
        OPENARCHIVER_TRY(const auto head, evidence::parse_head(*note));
        if (head.size <= leaf) {
            break;
        }
        oldest.emplace(number, *std::move(note));
    }
    if (!oldest) {
        return std::pair(newest.value_or(""), std::string());
    }
    OPENARCHIVER_TRY(std::string reply,
                     archive::read_object(archive.store(), evidence::timestamp_key(oldest->first),
                                          evidence::kMaxTimestampSize, stop));
    return std::pair(std::move(oldest->second), std::move(reply));
}

}  // namespace

sdk::Result<evidence::Proof> prove_leaf(archive::Archive& archive, catalog::CatalogReader& catalog,
                                        const catalog::LeafRecord& leaf,
                                        const catalog::VersionRecord* version,
                                        std::stop_token stop) {
    if (!leaf.number) {
        return sdk::Error{.code = sdk::Errc::unavailable,
                          .message =
                              "no head of the archive covers it yet: a service writes one in "
                              "archive.evidence.head_every at the latest, `sync` at its end"};
    }
    evidence::Proof proof;
    proof.leaf = *leaf.number;
    proof.public_key = archive.marker().public_key;
    OPENARCHIVER_TRY(std::tie(proof.statement, proof.salt),
                     read_leaf(archive, leaf, version, stop));
    OPENARCHIVER_TRY(std::tie(proof.head, proof.timestamp),
                     choose_head(catalog, archive, *leaf.number, stop));
    OPENARCHIVER_TRY(const auto head, evidence::parse_head(proof.head));
    OPENARCHIVER_TRY(proof.path,
                     evidence::inclusion_path(*leaf.number, head.size,
                                              [&](unsigned height, std::uint64_t index) {
                                                  return catalog.subtree(height, index);
                                              }));
    // Never hand out what does not prove.
    OPENARCHIVER_CHECK(evidence::check(proof, proof.public_key, std::nullopt));
    return proof;
}

}  // namespace openarchiver::service
