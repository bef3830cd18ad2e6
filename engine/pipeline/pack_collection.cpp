#include "pipeline/pack_collection.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/pack.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/note.hpp"

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Result;

namespace {

constexpr std::string_view kPacks = "packs/";
// Listed so many at a time: neither is memory needed for all of them, nor a listing left open for
// the time of the removals.
constexpr std::size_t kPage = 10'000;

class Page final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        objects.push_back(info);
        return objects.size() < kPage;
    }

    std::vector<sdk::ObjectInfo> objects;
};

/// How the store protects a pack, for the catalog.
std::vector<catalog::Note> protection_of(sdk::ObjectStore& store, const archive::Digest& id,
                                         std::string_view key, sdk::Timestamp now,
                                         std::stop_token stop) {
    const auto protection = store.protection(key, std::move(stop));
    return protection ? std::vector<catalog::Note>{{now, catalog::PackProtected{id, *protection}}}
                      : std::vector<catalog::Note>();
}

}  // namespace

Result<CollectedPacks> collect_packs(access::ArchiveWriter& archive, sdk::Timestamp now,
                                     std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    auto& store = archive.archive().store();
    CollectedPacks collected;
    if (!store.capabilities().removal) {
        return collected;  // what nobody needs stays: it means nothing
    }
    std::string after;
    while (true) {
        Page page;
        OPENARCHIVER_CHECK(store.list(kPacks, after, page, stop));
        for (const auto& object : page.objects) {
            const std::string_view key = object.key;
            const auto id = archive::digest_from_hex(key.substr(key.rfind('/') + 1));
            if (!id || archive::pack_key(*id) != key) {
                continue;  // nothing that the engine wrote
            }
            OPENARCHIVER_TRY(const auto known, catalog->find_pack(*id));
            const bool replaced = known && known->replaced_at != sdk::Timestamp{};
            if (known ? !replaced || now - known->replaced_at < kReplacedPackStays
                      : now - object.modified_at < kUnnamedPackStays) {
                continue;
            }
            if (known && (known->locked_until > now || known->held)) {
                ++collected.locked;
                continue;
            }
            const auto removed = store.remove(key, stop);
            if (!removed && store.capabilities().lock &&
                removed.error().code == Errc::permission_denied) {
                ++collected.locked;
                const std::vector<catalog::Note> notes = protection_of(store, *id, key, now, stop);
                OPENARCHIVER_CHECK(archive.catalog().apply(notes));
                continue;
            }
            OPENARCHIVER_CHECK(removed);
            ++(replaced ? collected.replaced : collected.unnamed);
        }
        if (page.objects.size() < kPage) {
            return collected;
        }
        after = page.objects.back().key;
    }
}

}  // namespace openarchiver::pipeline
