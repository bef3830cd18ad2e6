#include "verify/content_check.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "archive/digest.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/database.hpp"
#include "catalog/schema.hpp"

namespace openarchiver::verify {

using namespace Poco::Data::Keywords;
using archive::Digest;
using catalog::Blob;
using catalog::Integer;
using catalog::translated;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

/// PackReader checks; nothing is to be done with the bytes.
class Discard final : public sdk::ByteSink {
public:
    Status write(std::span<const std::byte>) override { return {}; }
};

struct Content {
    Integer key = 0;
    Digest digest{};
    std::uint64_t size = 0;
    archive::Placement placement;
};

/// Whether an error says that what is stored is damaged; others end the verify.
bool is_damage(Errc code) {
    return code == Errc::corrupt || code == Errc::not_found || code == Errc::invalid_argument ||
           code == Errc::unsupported;
}

std::string restore_hint() {
    return "; bring the object back from a copy of the archive";
}

}  // namespace

bool belongs_to(const std::optional<Part>& part, const Digest& pack) {
    if (!part) {
        return true;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        value = (value << 8U) | std::to_integer<std::uint64_t>(pack[i]);
    }
    return value % part->of == part->number - 1;
}

struct ContentCheck::State {
    State(archive::Archive& from, const Inventory& stored, Report& into, Poco::Data::Session opened)
        : archive(from), inventory(stored), report(into), session(std::move(opened)) {}

    archive::Archive& archive;
    const Inventory& inventory;
    Report& report;
    Poco::Data::Session session;
    std::unique_ptr<catalog::CatalogReader> catalog;
    std::vector<Digest> named;  // sorted
    Discard discard;

    /// The contents of a pack, in their order in it.
    Result<std::vector<Content>> contents(const Digest& pack) {
        return translated("reading the replayed catalog", [&]() -> Result<std::vector<Content>> {
            std::vector<Integer> keys, sizes, frames, offsets;
            std::vector<std::string> digests;
            session << "SELECT c.content, lower(hex(c.digest)), c.size, c.frame, c.offset"
                       " FROM packs p JOIN contents c ON c.pack=p.pack WHERE p.id=x'" +
                           archive::to_hex(pack) + "' ORDER BY c.frame, c.offset",
                into(keys), into(digests), into(sizes), into(frames), into(offsets), now;
            std::vector<Content> contents(keys.size());
            for (std::size_t i = 0; i < keys.size(); ++i) {
                OPENARCHIVER_TRY(contents[i].digest, archive::digest_from_hex(digests[i]));
                contents[i].key = keys[i];
                contents[i].size = static_cast<std::uint64_t>(sizes[i]);
                contents[i].placement = {static_cast<std::uint32_t>(frames[i]),
                                         static_cast<std::uint64_t>(offsets[i])};
            }
            return contents;
        });
    }

    /// Of a finding: refs, and their accounts.
    struct Items {
        std::set<std::string> refs;
        std::set<std::string> accounts;
    };

    Status add_items(Integer content, Items& items) {
        return translated("reading the replayed catalog", [&]() -> Status {
            std::vector<std::string> refs;
            std::vector<std::string> accounts;
            session << "SELECT i.ref, s.id || ' ' || a.address FROM versions v"
                       " JOIN items i ON i.item=v.item JOIN accounts a ON a.account=i.account"
                       " JOIN sources s ON s.source=a.source WHERE v.content=?",
                bind(content), into(refs), into(accounts), now;
            items.refs.insert(refs.begin(), refs.end());
            items.accounts.insert(accounts.begin(), accounts.end());
            return {};
        });
    }

    [[nodiscard]] bool forgotten(const archive::PackInfo& pack, const Content& content) const {
        const auto frame = content.placement.frame;
        return frame < pack.frames.size() &&
               !archive.keyring().find(pack.frames[frame].key).has_value();
    }

    Status check(const archive::PackInfo& pack, std::stop_token stop) {
        const StoredPack* stored = inventory.find(pack.id);
        Finding finding{.kind = FindingKind::pack_missing,
                        .object = archive::pack_key(pack.id),
                        .message = "the pack is missing" + restore_hint()};
        bool sound = false;
        if (stored != nullptr) {
            const auto verified = archive.packs().verify(pack, stop);
            if (!verified && !is_damage(verified.error().code)) {
                return verified.error();
            }
            sound = verified.has_value();
            if (!sound && verified.error().code != Errc::not_found) {
                finding.kind = FindingKind::pack_damaged;
                finding.message = verified.error().message + restore_hint();
            }
        }
        const bool present = sound || finding.kind != FindingKind::pack_missing;
        Items items;
        OPENARCHIVER_TRY(const auto all, contents(pack.id));
        for (const auto& content : all) {
            if (forgotten(pack, content)) {
                ++report.contents_forgotten;
                continue;
            }
            if (!present) {
                OPENARCHIVER_CHECK(add_items(content.key, items));
                continue;
            }
            const auto read = archive.packs().read(pack, content.placement, content.size,
                                                   content.digest, discard, stop);
            if (read) {
                ++report.contents_checked;
                report.bytes_checked += content.size;
                continue;
            }
            if (!is_damage(read.error().code)) {
                return read.error();
            }
            if (sound) {
                finding.kind = FindingKind::content_damaged;
                finding.message = read.error().message;
            }
            OPENARCHIVER_CHECK(add_items(content.key, items));
        }
        for (const auto& ref : items.refs) {
            finding.affected.add(ref);
        }
        for (const auto& account : items.accounts) {
            if (finding.affected.accounts.size() < Affected::kMaxRefs) {
                finding.affected.accounts.push_back(account);
            }
        }
        if (!sound || !items.refs.empty()) {
            report.findings.push_back(std::move(finding));
        }
        ++report.packs_checked;
        return {};
    }
};

ContentCheck::ContentCheck(std::unique_ptr<State> state) : state_(std::move(state)) {}

ContentCheck::~ContentCheck() = default;

Result<std::unique_ptr<ContentCheck>> ContentCheck::open(archive::Archive& archive,
                                                         const ReplayedCatalog& catalog,
                                                         const Inventory& inventory,
                                                         Report& report) {
    return translated(
        "reading the replayed catalog", [&]() -> Result<std::unique_ptr<ContentCheck>> {
            const auto file = catalog::catalog_file(catalog.folder());
            auto state = std::make_unique<State>(
                archive, inventory, report, catalog::open_session(file, catalog::Access::write));
            state->session << "PRAGMA temp_store=FILE", now;
            state->session << "CREATE INDEX contents_by_pack ON contents(pack, frame, offset)", now;
            state->session << "CREATE INDEX versions_by_content ON versions(content)", now;
            OPENARCHIVER_TRY(state->catalog, catalog::CatalogReader::open(catalog.folder()));
            return std::unique_ptr<ContentCheck>(new ContentCheck(std::move(state)));
        });
}

Result<std::uint64_t> ContentCheck::count() {
    return translated("reading the replayed catalog", [&]() -> Result<std::uint64_t> {
        Integer packs = 0;
        state_->session << "SELECT count(*) FROM packs", into(packs), now;
        return static_cast<std::uint64_t>(packs);
    });
}

Status ContentCheck::run(const std::function<void()>& progress, std::stop_token stop) {
    auto& state = *state_;
    const auto visited = state.catalog->visit_packs([&](const archive::PackInfo& pack) -> Status {
        if (stop.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        state.named.push_back(pack.id);
        if (pack.frames.empty()) {
            return {};  // the segment that described it is damaged, which is a finding of its own
        }
        if (belongs_to(state.report.part, pack.id)) {
            OPENARCHIVER_CHECK(state.check(pack, stop));
            progress();
        }
        return {};
    });
    std::ranges::sort(state.named);
    return visited;
}

bool ContentCheck::names(const Digest& pack) const {
    return std::ranges::binary_search(state_->named, pack);
}

}  // namespace openarchiver::verify
