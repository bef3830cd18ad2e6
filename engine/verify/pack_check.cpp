#include "verify/pack_check.hpp"

#include <map>
#include <string>
#include <utility>

#include "archive/part_key.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/database.hpp"
#include "catalog/schema.hpp"

namespace openarchiver::verify {

using namespace Poco::Data::Keywords;
using archive::Digest;
using catalog::Integer;
using catalog::translated;
using sdk::Errc;
using sdk::Result;
using sdk::Status;

namespace {

/// PackReader checks; nothing is to be done with the bytes.
class Discard final : public sdk::ByteSink {
public:
    Status write(std::span<const std::byte>) override { return {}; }
};

}  // namespace

bool is_damage(Errc code) {
    return code == Errc::corrupt || code == Errc::not_found || code == Errc::invalid_argument ||
           code == Errc::unsupported;
}

struct PackCheck::State {
    State(archive::Archive& from, const Inventory& stored, Poco::Data::Session opened)
        : archive(from), inventory(stored), session(std::move(opened)) {}

    archive::Archive& archive;
    const Inventory& inventory;
    Poco::Data::Session session;
    std::unique_ptr<catalog::CatalogReader> catalog;
};

PackCheck::PackCheck(std::unique_ptr<State> state) : state_(std::move(state)) {}

PackCheck::~PackCheck() = default;

Result<std::unique_ptr<PackCheck>> PackCheck::open(archive::Archive& archive,
                                                   const ReplayedCatalog& catalog,
                                                   const Inventory& inventory) {
    return translated("reading the replayed catalog", [&]() -> Result<std::unique_ptr<PackCheck>> {
        auto state = std::make_unique<State>(
            archive, inventory,
            catalog::open_session(catalog::catalog_file(catalog.folder()), catalog::Access::read));
        OPENARCHIVER_TRY(state->catalog, catalog::CatalogReader::open(catalog.folder()));
        return std::unique_ptr<PackCheck>(new PackCheck(std::move(state)));
    });
}

Result<std::vector<PlacedContent>> PackCheck::contents(const Digest& pack) {
    return translated("reading the replayed catalog", [&]() -> Result<std::vector<PlacedContent>> {
        std::vector<Integer> keys, sizes, frames;
        state_->session << "SELECT c.content, c.size, c.frame FROM packs p JOIN contents c"
                           " ON c.pack=p.pack WHERE p.id=x'" +
                               archive::to_hex(pack) + "' ORDER BY c.frame, c.offset",
            into(keys), into(sizes), into(frames), now;
        std::vector<PlacedContent> contents(keys.size());
        for (std::size_t i = 0; i < keys.size(); ++i) {
            contents[i] = {.key = keys[i],
                           .size = static_cast<std::uint64_t>(sizes[i]),
                           .frame = static_cast<std::uint32_t>(frames[i])};
        }
        return contents;
    });
}

Result<std::vector<HeldPart>> PackCheck::parts(const archive::PackInfo& pack) {
    OPENARCHIVER_TRY(const auto records, state_->catalog->parts_in(pack.id));
    std::vector<HeldPart> parts;
    for (const auto& record : records) {
        const auto account = state_->archive.keyring().find(record.source, record.account);
        if (!account || (!parts.empty() && parts.back().key == record.key)) {
            continue;
        }
        parts.push_back({.key = record.key,
                         .id = record.held.id,
                         .stored = {.pack = pack,
                                    .frame = record.held.frame,
                                    .size = record.held.size,
                                    .key = record.held.key,
                                    .wrapped = record.held.wrapped},
                         .account = *account});
    }
    return parts;
}

bool PackCheck::forgotten(const archive::PackInfo& pack, const PlacedContent& content) const {
    return content.frame < pack.frames.size() &&
           !state_->archive.keyring().find(pack.frames[content.frame].key).has_value();
}

Result<PackResult> PackCheck::check(const archive::PackInfo& pack, std::stop_token stop) {
    PackResult result;
    if (state_->inventory.find(pack.id) == nullptr) {
        result.present = false;
        return result;
    }
    OPENARCHIVER_TRY(const auto held, parts(pack));
    std::map<archive::KeyId, archive::AccountKey> keys;
    for (const auto& part : held) {
        if (const auto key =
                archive::unwrap_part_key(part.account, part.stored.key, part.stored.wrapped)) {
            keys.emplace(part.stored.key, *key);
        }
    }
    auto& packs = state_->archive.packs();
    result.object = packs.verify(pack, stop, keys);
    if (!result.object) {
        if (!is_damage(result.object.error().code)) {
            return result.object.error();
        }
        result.present = result.object.error().code != Errc::not_found;
        if (!result.present) {
            return result;
        }
    }
    OPENARCHIVER_TRY(const auto all, contents(pack.id));
    std::vector<PlacedContent> readable;
    std::vector<Integer> content_keys;
    for (const auto& content : all) {
        if (forgotten(pack, content)) {
            ++result.forgotten;
        } else {
            readable.push_back(content);
            content_keys.push_back(content.key);
        }
    }
    OPENARCHIVER_TRY(const auto stored, state_->catalog->stored(content_keys));
    Discard discard;
    for (std::size_t i = 0; i < readable.size(); ++i) {
        auto read = packs.read(stored[i], discard, stop);
        if (read) {
            ++result.contents;
            result.bytes += readable[i].size;
        } else if (is_damage(read.error().code)) {
            result.failed.push_back({readable[i].key, std::move(read.error())});
        } else {
            return std::move(read.error());
        }
    }
    return result;
}

}  // namespace openarchiver::verify
