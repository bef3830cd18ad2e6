#include "verify/catalog_check.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <thread>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/database.hpp"
#include "catalog/schema.hpp"
#include "verify/row_sum.hpp"

namespace openarchiver::verify {

using namespace Poco::Data::Keywords;
using archive::LogPosition;
using catalog::Blob;
using catalog::Integer;
using catalog::translated;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::string_view kFolderPrefix = "verify-";

/// Folders of verifies whose process is gone.
void remove_leftovers(const std::filesystem::path& parent) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(parent, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with(kFolderPrefix)) {
            continue;
        }
        pid_t process = 0;
        const char* const first = name.data() + kFolderPrefix.size();
        const char* const last = name.data() + name.size();
        const auto parsed = std::from_chars(first, last, process);
        if (parsed.ptr == last && process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) {
            std::error_code ignored;
            std::filesystem::remove_all(entry->path(), ignored);
        }
    }
}

/// A table as rows that mean the same in any catalog: no row numbers. The first column is the ref
/// of the item that a row belongs to, or empty. $ is the catalog.
struct Rows {
    const char* what;
    const char* sql;
    /// Whether the catalog may know more than the log: what was only noted makes rows, too.
    bool may_have_more;
};

#define OPENARCHIVER_ITEM_OWNER \
    "JOIN $.accounts a ON a.account=i.account JOIN $.sources s ON s.source=a.source"

constexpr Rows kRows[] = {
    {"sources", "SELECT '', id, name, provider FROM $.sources", true},
    {"accounts",
     "SELECT '', s.id, a.id, a.address, a.display_name, a.state, a.reason FROM $.accounts a"
     " JOIN $.sources s ON s.source=a.source",
     true},
    {"folders",
     "SELECT '', s.id, a.id, f.id, f.parent_id, f.name, f.well_known, f.hidden, f.archived,"
     " f.removed_at FROM $.folders f JOIN $.accounts a ON a.account=f.account"
     " JOIN $.sources s ON s.source=a.source",
     true},
    {"packs", "SELECT '', id, size, replaced FROM $.packs", false},
    {"frames",
     "SELECT '', p.id, f.frame, f.key, f.offset, f.stored, f.raw FROM $.frames f"
     " JOIN $.packs p ON p.pack=f.pack",
     false},
    {"parts",
     "SELECT '', x.digest, x.class, x.key, x.size, p.id, x.frame FROM $.parts x"
     " JOIN $.packs p ON p.pack=x.pack",
     false},
    {"items",
     "SELECT i.ref AS ref, s.id, a.id, i.id, i.left_at, coalesce(d.id, '') FROM $.items i"
     " LEFT JOIN $.disposals d ON d.disposal=i.disposal " OPENARCHIVER_ITEM_OWNER,
     false},
    {"disposals",
     "SELECT '', id, cause, policy, reason, disposed_by, at, items, versions, bytes"
     " FROM $.disposals",
     false},
    {"approvals", "SELECT '', at, definition, approved_by FROM $.approvals", false},
    {"holds",
     "SELECT '', id, event, placed_at, released_at, released_by, release_reason FROM $.holds",
     false},
    {"forgotten accounts", "SELECT '', source, account, reason, forgotten_by, at FROM $.forgotten",
     false},
    {"sources of the API", "SELECT '', id, event, at FROM $.kept_sources", false},
    {"pauses", "SELECT '', id, paused_by, at FROM $.paused_sources", false},
    {"audit entries", "SELECT '', id, at, done_by, role, action, object, detail FROM $.audit",
     false},
    {"versions",
     "SELECT i.ref AS ref, v.version, c.digest, c.size, p.id, c.frame, c.offset, c.composition, "
     "v.tag, "
     "v.media_type,"
     " v.received_at, v.archived_at, v.message_id, v.subject, v.sender, v.fidelity"
     " FROM $.versions v JOIN $.items i ON i.item=v.item JOIN $.contents c ON c.content=v.content"
     " JOIN $.packs p ON p.pack=c.pack",
     false},
    {"parts of contents",
     "SELECT i.ref AS ref, v.version, y.position, x.key, h.wrapped FROM $.versions v"
     " JOIN $.items i ON i.item=v.item JOIN $.content_parts y ON y.content=v.content"
     " JOIN $.parts x ON x.part=y.part JOIN $.held_parts h ON h.part=x.part"
     " AND h.account=i.account",
     false},
    {"placements",
     "SELECT i.ref AS ref, f.id FROM $.placements x JOIN $.items i ON i.item=x.item"
     " JOIN $.folders f ON f.folder=x.folder",
     false},
    {"history",
     "SELECT i.ref AS ref, h.position, h.at, h.kind, f.id FROM $.history h JOIN $.items i ON "
     "i.item=h.item"
     " JOIN $.folders f ON f.folder=h.folder",
     false},
};

constexpr const char* kVersionContents =
    "SELECT i.ref AS ref, c.digest FROM $.versions v JOIN $.items i ON i.item=v.item"
    " JOIN $.contents c ON c.content=v.content";

std::string in(std::string_view catalog, std::string_view sql) {
    std::string text;
    for (const char c : sql) {
        c == '$' ? text += catalog : text += c;
    }
    return text;
}

}  // namespace

Result<std::unique_ptr<ReplayedCatalog>> ReplayedCatalog::make(const std::filesystem::path& parent,
                                                               std::string_view archive_id) {
    remove_leftovers(parent);
    const auto folder = parent / (std::string(kFolderPrefix) + std::to_string(::getpid()));
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    std::filesystem::create_directories(folder, error);
    if (!error) {
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    }
    if (error) {
        return Error{.code = Errc::permission_denied,
                     .message = "verify needs to write to " + parent.string() + " and can't: " +
                                error.message() + "; check the rights on it, or use --quick"};
    }
    auto replayed = std::unique_ptr<ReplayedCatalog>(new ReplayedCatalog(folder));
    OPENARCHIVER_TRY(replayed->writer_,
                     catalog::CatalogWriter::fill_file(catalog::catalog_file(folder), archive_id));
    return replayed;
}

Status ReplayedCatalog::filled(std::string_view archive_id) {
    OPENARCHIVER_CHECK(writer_->finish());
    writer_.reset();
    OPENARCHIVER_TRY(writer_, catalog::CatalogWriter::open(folder_, archive_id));
    return {};
}

ReplayedCatalog::~ReplayedCatalog() {
    writer_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

struct LiveCatalog::State {
    explicit State(Poco::Data::Session opened) : session(std::move(opened)) {}

    Poco::Data::Session session;
    bool attached = false;
    const archive::Salt key = archive::random_bytes<16>();
    std::vector<RowSum> sums;  // of the live catalog's kRows
    Status summed;
    std::jthread summing;  // alone on the session

    /// Nobody wants the sums any more.
    void end_summing() {
        summing.request_stop();
        if (summing.joinable()) {
            summing.join();
        }
    }

    /// Runs a query whose rows are refs, each once, in order.
    Affected refs(const std::string& sql) {
        Affected affected;
        Integer count = 0;
        session << "SELECT count(*) FROM (" + sql + ")", into(count), now;
        std::vector<std::string> found;
        session << "SELECT * FROM (" + sql + ") ORDER BY 1 LIMIT " +
                       std::to_string(Affected::kMaxRefs),
            into(found), now;
        affected.refs = std::move(found);
        std::vector<std::string> accounts;
        session << "SELECT DISTINCT s.id || ' ' || a.address FROM (" + sql +
                       ") r JOIN live.items i ON i.ref=r.ref JOIN live.accounts a ON"
                       " a.account=i.account JOIN live.sources s ON s.source=a.source"
                       " ORDER BY 1 LIMIT " +
                       std::to_string(Affected::kMaxRefs),
            into(accounts), now;
        affected.accounts = std::move(accounts);
        affected.count = static_cast<std::uint64_t>(count);
        return affected;
    }

    Integer count(const std::string& sql) {
        Integer rows = 0;
        session << "SELECT count(*) FROM (" + sql + ")", into(rows), now;
        return rows;
    }
};

LiveCatalog::LiveCatalog(std::unique_ptr<State> state) : state_(std::move(state)) {}

LiveCatalog::~LiveCatalog() = default;

Result<std::unique_ptr<LiveCatalog>> LiveCatalog::open(const std::filesystem::path& folder) {
    // Says what is wrong with a catalog that can't be used.
    OPENARCHIVER_TRY(const auto reader, catalog::CatalogReader::open(folder));
    return translated("reading the catalog", [&]() -> Result<std::unique_ptr<LiveCatalog>> {
        auto state =
            std::make_unique<State>(catalog::open_session(":memory:", catalog::Access::read));
        // Comparing sorts whole tables: not in memory.
        state->session << "PRAGMA temp_store=FILE", now;
        state->session << "ATTACH ? AS live", bind(catalog::catalog_file(folder).string()), now;
        state->session << "BEGIN", now;
        std::vector<std::string> writers;
        std::vector<Integer> sequences;
        std::vector<std::string> digests;
        state->session << "SELECT writer, sequence, lower(hex(digest)) FROM live.writers"
                          " ORDER BY writer",
            into(writers), into(sequences), into(digests), now;
        auto live = std::unique_ptr<LiveCatalog>(new LiveCatalog(std::move(state)));
        for (std::size_t i = 0; i < writers.size(); ++i) {
            OPENARCHIVER_TRY(const auto digest, archive::digest_from_hex(digests[i]));
            live->positions_.emplace_back(
                writers[i], LogPosition{static_cast<std::uint64_t>(sequences[i]), digest});
        }
        std::vector<std::string> notes;
        live->state_->session << "SELECT note FROM live.heads ORDER BY head DESC LIMIT 1",
            into(notes), now;
        if (!notes.empty()) {
            live->newest_head_ = std::move(notes.front());
        }
        return live;
    });
}

LogPosition LiveCatalog::position(std::string_view writer) const {
    const auto at = std::ranges::find(positions_, writer, &Positions::value_type::first);
    return at == positions_.end() ? LogPosition{} : at->second;
}

Status LiveCatalog::attach(const ReplayedCatalog& replayed) {
    state_->end_summing();
    if (!state_->attached) {
        state_->session << "ATTACH ? AS replayed",
            bind(catalog::catalog_file(replayed.folder()).string()), now;
        state_->attached = true;
    }
    return {};
}

void LiveCatalog::begin_to_compare() {
    state_->summing = std::jthread([&state = *state_](const std::stop_token& stop) {
        state.summed = translated("reading the catalog", [&]() -> Status {
            for (const auto& rows : kRows) {
                state.sums.push_back(
                    sum_of_rows(state.session, in("live", rows.sql), state.key, stop));
            }
            return {};
        });
    });
}

Status LiveCatalog::compare(const ReplayedCatalog& replayed, std::vector<Finding>& findings) {
    return translated("comparing the catalog with the log", [&]() -> Status {
        state_->summing.join();
        OPENARCHIVER_CHECK(state_->summed);
        OPENARCHIVER_CHECK(attach(replayed));
        auto live_sum = state_->sums.begin();
        for (const auto& rows : kRows) {
            const std::string here = in("live", rows.sql);
            const std::string there = in("replayed", rows.sql);
            // Which rows differ takes sorting whole tables; whether any do does not.
            if (*live_sum++ == sum_of_rows(state_->session, there, state_->key, {})) {
                continue;
            }
            const std::string lacking = "SELECT * FROM (" + there + ") EXCEPT " + here;
            const std::string added = "SELECT * FROM (" + here + ") EXCEPT " + there;
            const Integer lacks = state_->count(lacking);
            const Integer adds = rows.may_have_more ? 0 : state_->count(added);
            if (lacks == 0 && adds == 0) {
                continue;
            }
            std::string both = "SELECT * FROM (" + lacking + ")";
            if (!rows.may_have_more) {
                both += " UNION SELECT * FROM (" + added + ")";
            }
            Finding finding{.kind = FindingKind::catalog_differs,
                            .object = std::string("catalog/") + rows.what,
                            .message = std::to_string(lacks) +
                                       " rows that the log tells are not in the catalog, " +
                                       std::to_string(adds) +
                                       " rows of the catalog are not in the log; the log is the "
                                       "truth: run `openarchiver rebuild`"};
            if (std::string_view(rows.sql).starts_with("SELECT i.ref")) {
                finding.affected = state_->refs("SELECT DISTINCT ref FROM (" + both + ")");
            }
            findings.push_back(std::move(finding));
        }
        return {};
    });
}

Result<Affected> LiveCatalog::not_in(const ReplayedCatalog& replayed) {
    return translated("comparing the catalog with the log", [&]() -> Result<Affected> {
        OPENARCHIVER_CHECK(attach(replayed));
        return state_->refs("SELECT DISTINCT ref FROM (SELECT * FROM (" +
                            in("live", kVersionContents) + ") EXCEPT " +
                            in("replayed", kVersionContents) + ")");
    });
}

Status LiveCatalog::release() {
    state_->end_summing();
    return translated("reading the catalog", [&]() -> Status {
        state_->session << "COMMIT", now;
        return {};
    });
}

Result<Affected> LiveCatalog::in_pack(const archive::Digest& pack) {
    return translated("reading the catalog", [&]() -> Result<Affected> {
        const std::string id = "x'" + archive::to_hex(pack) + "'";
        return state_->refs(in(
            "live",
            "SELECT i.ref AS ref FROM $.packs p JOIN $.contents c ON c.pack=p.pack"
            " JOIN $.versions v ON v.content=c.content JOIN $.items i ON i.item=v.item"
            " WHERE p.id=" +
                id +
                " UNION SELECT i.ref FROM $.packs p JOIN $.parts x ON x.pack=p.pack"
                " JOIN $.content_parts y ON y.part=x.part JOIN $.versions v ON v.content=y.content"
                " JOIN $.items i ON i.item=v.item WHERE p.id=" +
                id));
    });
}

}  // namespace openarchiver::verify
