#include "verify/content_check.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "archive/digest.hpp"
#include "archive/part_key.hpp"
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
    std::uint64_t size = 0;
    std::uint32_t frame = 0;
};

/// A part as one of its holders can read it.
struct HeldPart {
    Integer key = 0;
    Digest id{};
    archive::StoredPart stored;
    archive::AccountKey account;
};

class Hashing final : public sdk::ByteSink {
public:
    Status write(std::span<const std::byte> bytes) override {
        digest_.update(bytes);
        return {};
    }

    Digest finish() { return digest_.finish(); }

private:
    archive::Sha256 digest_;
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
    State(archive::Archive& from, const Inventory& stored, ReplacedMeanwhile replaced, Report& into,
          Poco::Data::Session opened)
        : archive(from),
          inventory(stored),
          replaced_meanwhile(std::move(replaced)),
          report(into),
          session(std::move(opened)) {}

    archive::Archive& archive;
    const Inventory& inventory;
    const ReplacedMeanwhile replaced_meanwhile;
    Report& report;
    Poco::Data::Session session;
    std::unique_ptr<catalog::CatalogReader> catalog;
    std::vector<Digest> named;  // sorted
    Discard discard;

    /// The contents of a pack, in their order in it.
    Result<std::vector<Content>> contents(const Digest& pack) {
        return translated("reading the replayed catalog", [&]() -> Result<std::vector<Content>> {
            std::vector<Integer> keys, sizes, frames;
            session << "SELECT c.content, c.size, c.frame FROM packs p JOIN contents c"
                       " ON c.pack=p.pack WHERE p.id=x'" +
                           archive::to_hex(pack) + "' ORDER BY c.frame, c.offset",
                into(keys), into(sizes), into(frames), now;
            std::vector<Content> contents(keys.size());
            for (std::size_t i = 0; i < keys.size(); ++i) {
                contents[i] = {.key = keys[i],
                               .size = static_cast<std::uint64_t>(sizes[i]),
                               .frame = static_cast<std::uint32_t>(frames[i])};
            }
            return contents;
        });
    }

    /// Of a finding: refs, and their accounts.
    struct Items {
        std::set<std::string> refs;
        std::set<std::string> accounts;
    };

    /// The parts in a pack that somebody can still read.
    Result<std::vector<HeldPart>> parts(const archive::PackInfo& pack) {
        OPENARCHIVER_TRY(const auto records, catalog->parts_in(pack.id));
        std::vector<HeldPart> parts;
        for (const auto& record : records) {
            const auto account = archive.keyring().find(record.source, record.account);
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

    Status add_items(const std::string& where, Integer key, Items& items) {
        return translated("reading the replayed catalog", [&]() -> Status {
            std::vector<std::string> refs;
            std::vector<std::string> accounts;
            session << "SELECT i.ref, s.id || ' ' || a.address FROM versions v"
                       " JOIN items i ON i.item=v.item JOIN accounts a ON a.account=i.account"
                       " JOIN sources s ON s.source=a.source" +
                           where,
                bind(key), into(refs), into(accounts), now;
            items.refs.insert(refs.begin(), refs.end());
            items.accounts.insert(accounts.begin(), accounts.end());
            return {};
        });
    }

    Status add_items(Integer content, Items& items) {
        return add_items(" WHERE v.content=?", content, items);
    }

    Status add_items_with_part(Integer part, Items& items) {
        return add_items(" JOIN content_parts y ON y.content=v.content WHERE y.part=?", part,
                         items);
    }

    /// Whether the content has a part that is known to be damaged: then it counts where that is.
    Result<bool> has_damaged_part(Integer content) {
        return translated("reading the replayed catalog", [&]() -> Result<bool> {
            std::vector<Integer> parts;
            session << "SELECT part FROM content_parts WHERE content=?", bind(content), into(parts),
                now;
            return std::ranges::any_of(parts,
                                       [&](Integer part) { return damaged_parts.contains(part); });
        });
    }

    [[nodiscard]] bool forgotten(const archive::PackInfo& pack, const Content& content) const {
        return content.frame < pack.frames.size() &&
               !archive.keyring().find(pack.frames[content.frame].key).has_value();
    }

    Status find_named() {
        return translated("reading the replayed catalog", [&]() -> Status {
            std::vector<std::string> ids;
            session << "SELECT lower(hex(id)) FROM packs ORDER BY id", into(ids), now;
            for (const auto& id : ids) {
                OPENARCHIVER_TRY(const auto digest, archive::digest_from_hex(id));
                named.push_back(digest);
            }
            return {};
        });
    }

    struct Problem {
        Finding finding;
        Items items;
        bool present = true;
    };

    /// The pack as an object, and the parts in it.
    Status check_pack(const archive::PackInfo& pack, std::stop_token stop) {
        OPENARCHIVER_TRY(const auto held, parts(pack));
        std::map<archive::KeyId, archive::AccountKey> keys;
        for (const auto& part : held) {
            if (const auto key =
                    archive::unwrap_part_key(part.account, part.stored.key, part.stored.wrapped)) {
                keys.emplace(part.stored.key, *key);
            }
        }
        Problem problem{.finding = {.kind = FindingKind::pack_missing,
                                    .object = archive::pack_key(pack.id),
                                    .message = "the pack is missing" + restore_hint()},
                        .items = {},
                        .present = false};
        if (inventory.find(pack.id) != nullptr) {
            const auto verified = archive.packs().verify(pack, stop, keys);
            if (verified) {
                return {};
            }
            if (!is_damage(verified.error().code)) {
                return verified.error();
            }
            if (verified.error().code != Errc::not_found) {
                problem.present = true;
                problem.finding.kind = FindingKind::pack_damaged;
                problem.finding.message = verified.error().message + restore_hint();
            }
        }
        const bool moved = !problem.present && replaced_meanwhile(pack.id);
        if (moved) {
            moved_packs.insert(pack.id);
        }
        for (const auto& part : held) {
            if (problem.present) {
                Hashing hashing;
                const auto read = archive.packs().read(part.stored, part.account, hashing, stop);
                if (read && hashing.finish() == part.id) {
                    continue;
                }
                if (!read && !is_damage(read.error().code)) {
                    return read.error();
                }
            }
            damaged_parts.insert(part.key);
            OPENARCHIVER_CHECK(add_items_with_part(part.key, problem.items));
        }
        if (!moved) {
            problems.emplace(pack.id, std::move(problem));
        }
        return {};
    }

    /// Every content of the pack, its parts included.
    Status check_contents(const archive::PackInfo& pack, std::stop_token stop) {
        if (moved_packs.contains(pack.id)) {
            return {};
        }
        OPENARCHIVER_TRY(const auto all, contents(pack.id));
        const auto known = problems.find(pack.id);
        for (const auto& content : all) {
            if (forgotten(pack, content)) {
                ++report.contents_forgotten;
                continue;
            }
            if (known != problems.end() && !known->second.present) {
                OPENARCHIVER_CHECK(add_items(content.key, known->second.items));
                continue;
            }
            OPENARCHIVER_TRY(const auto stored, catalog->stored(content.key));
            const auto read = archive.packs().read(stored, discard, stop);
            if (read) {
                ++report.contents_checked;
                report.bytes_checked += content.size;
                continue;
            }
            if (!is_damage(read.error().code)) {
                return read.error();
            }
            OPENARCHIVER_TRY(const bool elsewhere, has_damaged_part(content.key));
            const bool moved =
                read.error().code == Errc::not_found &&
                (replaced_meanwhile(pack.id) ||
                 std::ranges::any_of(stored.parts, [&](const archive::StoredPart& part) {
                     return replaced_meanwhile(part.pack.id);
                 }));
            if (elsewhere || moved) {
                continue;
            }
            auto [problem, added] = problems.try_emplace(pack.id);
            if (added) {
                problem->second.finding = {.kind = FindingKind::content_damaged,
                                           .object = archive::pack_key(pack.id),
                                           .message = read.error().message};
            }
            OPENARCHIVER_CHECK(add_items(content.key, problem->second.items));
        }
        return {};
    }

    void report_problems() {
        for (auto& [pack, problem] : problems) {
            for (const auto& ref : problem.items.refs) {
                problem.finding.affected.add(ref);
            }
            for (const auto& account : problem.items.accounts) {
                if (problem.finding.affected.accounts.size() < Affected::kMaxRefs) {
                    problem.finding.affected.accounts.push_back(account);
                }
            }
            report.findings.push_back(std::move(problem.finding));
        }
        problems.clear();
    }

    std::map<Digest, Problem> problems;  // by pack
    std::set<Integer> damaged_parts;     // or in a pack that was replaced meanwhile
    std::set<Digest> moved_packs;
};

ContentCheck::ContentCheck(std::unique_ptr<State> state) : state_(std::move(state)) {}

ContentCheck::~ContentCheck() = default;

Result<std::unique_ptr<ContentCheck>> ContentCheck::open(archive::Archive& archive,
                                                         const ReplayedCatalog& catalog,
                                                         const Inventory& inventory,
                                                         ReplacedMeanwhile replaced,
                                                         Report& report) {
    return translated(
        "reading the replayed catalog", [&]() -> Result<std::unique_ptr<ContentCheck>> {
            const auto file = catalog::catalog_file(catalog.folder());
            auto state =
                std::make_unique<State>(archive, inventory, std::move(replaced), report,
                                        catalog::open_session(file, catalog::Access::write));
            state->session << "PRAGMA temp_store=FILE", now;
            state->session << "CREATE INDEX versions_by_content ON versions(content)", now;
            state->session << "CREATE INDEX contents_by_part ON content_parts(part)", now;
            OPENARCHIVER_TRY(state->catalog, catalog::CatalogReader::open(catalog.folder()));
            return std::unique_ptr<ContentCheck>(new ContentCheck(std::move(state)));
        });
}

Result<std::uint64_t> ContentCheck::count() {
    return translated("reading the replayed catalog", [&]() -> Result<std::uint64_t> {
        Integer packs = 0;
        state_->session << "SELECT count(*) FROM packs WHERE replaced=0", into(packs), now;
        return static_cast<std::uint64_t>(packs);
    });
}

Status ContentCheck::run(const std::function<void()>& progress, std::stop_token stop) {
    auto& state = *state_;
    const auto each_pack = [&](const std::function<Status(const archive::PackInfo&)>& check) {
        return state.catalog->visit_packs([&](const archive::PackInfo& pack) -> Status {
            if (stop.stop_requested()) {
                return Error{.code = Errc::cancelled};
            }
            // Without frames: the segment that described it is damaged, a finding of its own.
            return pack.frames.empty() || !belongs_to(state.report.part, pack.id) ? Status()
                                                                                  : check(pack);
        });
    };
    // All packs first: a part that several contents share is reported once, where it is.
    OPENARCHIVER_CHECK(each_pack([&](const archive::PackInfo& pack) {
        const Status checked = state.check_pack(pack, stop);
        ++state.report.packs_checked;
        progress();
        return checked;
    }));
    OPENARCHIVER_CHECK(each_pack([&](const archive::PackInfo& pack) {
        const Status checked = state.check_contents(pack, stop);
        progress();
        return checked;
    }));
    state.report_problems();
    return state.find_named();
}

bool ContentCheck::names(const Digest& pack) const {
    return std::ranges::binary_search(state_->named, pack);
}

}  // namespace openarchiver::verify
