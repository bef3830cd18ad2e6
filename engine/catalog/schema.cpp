#include "catalog/schema.hpp"

#include <string>

#include "catalog/database.hpp"

namespace openarchiver::catalog {

using namespace Poco::Data::Keywords;
using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

// Times are milliseconds since 1970 UTC; 0 means never. A cursor_format of -1 means: no cursor
// (SQLite binds an empty blob as NULL). Ids of services compare byte by byte.
constexpr const char* kItemsByRef = "CREATE UNIQUE INDEX items_by_ref ON items(ref)";

constexpr const char* kVersionsBySegment = "CREATE INDEX versions_by_segment ON versions(segment)";

constexpr const char* kVersion1[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE writers(writer TEXT PRIMARY KEY, sequence INTEGER NOT NULL,"
    " digest BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE sources(source INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, provider TEXT NOT NULL, imported_at INTEGER NOT NULL DEFAULT 0,"
    " cursor_format INTEGER NOT NULL DEFAULT -1, cursor BLOB,"
    " run_started_at INTEGER NOT NULL DEFAULT 0, run_ended_at INTEGER NOT NULL DEFAULT 0,"
    " good_run_at INTEGER NOT NULL DEFAULT 0, error_code TEXT NOT NULL DEFAULT '',"
    " error_message TEXT NOT NULL DEFAULT '', run_report TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE accounts(account INTEGER PRIMARY KEY, source INTEGER NOT NULL,"
    " id TEXT NOT NULL, address TEXT NOT NULL, display_name TEXT NOT NULL,"
    " state INTEGER NOT NULL, reason TEXT NOT NULL, first_pass_at INTEGER NOT NULL DEFAULT 0,"
    " last_pass_at INTEGER NOT NULL DEFAULT 0, cursor_format INTEGER NOT NULL DEFAULT -1,"
    " cursor BLOB, error_at INTEGER NOT NULL DEFAULT 0, error_code TEXT NOT NULL DEFAULT '',"
    " error_message TEXT NOT NULL DEFAULT '', error_request_id TEXT NOT NULL DEFAULT '',"
    " attempts INTEGER NOT NULL DEFAULT 0, UNIQUE(source, id))",
    "CREATE TABLE folders(folder INTEGER PRIMARY KEY, account INTEGER NOT NULL,"
    " id TEXT NOT NULL, parent_id TEXT NOT NULL, name TEXT NOT NULL, well_known TEXT NOT NULL,"
    " hidden INTEGER NOT NULL, archived INTEGER NOT NULL, item_count INTEGER NOT NULL DEFAULT -1,"
    " removed_at INTEGER NOT NULL DEFAULT 0, cursor_format INTEGER NOT NULL DEFAULT -1,"
    " cursor BLOB, cursor_logged_at INTEGER NOT NULL DEFAULT 0,"
    " synced_at INTEGER NOT NULL DEFAULT 0, error_at INTEGER NOT NULL DEFAULT 0,"
    " error_code TEXT NOT NULL DEFAULT '', error_message TEXT NOT NULL DEFAULT '',"
    " error_request_id TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(account, id))",
    "CREATE TABLE packs(pack INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, size INTEGER NOT NULL)",
    "CREATE TABLE frames(pack INTEGER NOT NULL, frame INTEGER NOT NULL, key BLOB NOT NULL,"
    " offset INTEGER NOT NULL, stored INTEGER NOT NULL, raw INTEGER NOT NULL,"
    " PRIMARY KEY(pack, frame)) WITHOUT ROWID",
    "CREATE TABLE contents(content INTEGER PRIMARY KEY, account INTEGER NOT NULL,"
    " digest BLOB NOT NULL, size INTEGER NOT NULL, pack INTEGER NOT NULL, frame INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, UNIQUE(account, digest))",
    "CREATE TABLE items(item INTEGER PRIMARY KEY, account INTEGER NOT NULL, id TEXT NOT NULL,"
    " ref TEXT NOT NULL, left_at INTEGER NOT NULL DEFAULT 0, UNIQUE(account, id))",
    kItemsByRef,
    "CREATE TABLE versions(item INTEGER NOT NULL, version INTEGER NOT NULL,"
    " content INTEGER NOT NULL, tag TEXT NOT NULL, media_type TEXT NOT NULL,"
    " received_at INTEGER NOT NULL, archived_at INTEGER NOT NULL, message_id TEXT NOT NULL,"
    " subject TEXT NOT NULL, sender TEXT NOT NULL, fidelity INTEGER NOT NULL,"
    " PRIMARY KEY(item, version)) WITHOUT ROWID",
    "CREATE TABLE placements(folder INTEGER NOT NULL, item INTEGER NOT NULL,"
    " PRIMARY KEY(folder, item)) WITHOUT ROWID",
    "CREATE INDEX placements_by_item ON placements(item)",
    // kind: 0 archived, 1 placed, 2 left
    "CREATE TABLE history(item INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, folder INTEGER NOT NULL, PRIMARY KEY(item, position)) WITHOUT ROWID",
    "CREATE TABLE failures(failure INTEGER PRIMARY KEY, account INTEGER NOT NULL,"
    " item TEXT NOT NULL, ref TEXT NOT NULL, folder INTEGER NOT NULL, tag TEXT NOT NULL,"
    " media_type TEXT NOT NULL, received_at INTEGER NOT NULL, code TEXT NOT NULL,"
    " message TEXT NOT NULL, service_code TEXT NOT NULL, request_id TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,"
    " next_try_at INTEGER NOT NULL, accepted INTEGER NOT NULL DEFAULT 0, UNIQUE(account, item))",
};

// What the service says a folder holds, when it said so, and how much of that the archive could not
// account for at the end of the account's pass; -1: not known.
constexpr const char* kVersion2[] = {
    "ALTER TABLE folders ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE folders ADD COLUMN unexplained INTEGER NOT NULL DEFAULT -1",
};

// The tree of the archive's evidence. `segments` has those with leaves; `first` is the number of
// their first leaf in the tree, -1 (and `hashes` is there) until a head has put them into it.
// `tiles` is C2SP tlog-tiles: 256 hashes of a level, each the root of 256 of the level below.
constexpr const char* kVersion3[] = {
    "CREATE TABLE segments(segment INTEGER PRIMARY KEY, writer TEXT NOT NULL,"
    " sequence INTEGER NOT NULL, leaves INTEGER NOT NULL, first INTEGER NOT NULL DEFAULT -1,"
    " hashes BLOB, UNIQUE(writer, sequence))",
    ("CREATE TABLE tiles(level INTEGER NOT NULL, tile INTEGER NOT NULL, hashes BLOB NOT NULL,"
     " PRIMARY KEY(level, tile)) WITHOUT ROWID"),
    "CREATE TABLE heads(head INTEGER PRIMARY KEY, note TEXT NOT NULL)",
    "ALTER TABLE versions ADD COLUMN segment INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE versions ADD COLUMN leaf INTEGER NOT NULL DEFAULT 0",
};

// Holds with their scope as the log has it, and accounts that are not archived again.
constexpr const char* kVersion4[] = {
    "CREATE TABLE holds(id TEXT PRIMARY KEY, event TEXT NOT NULL, placed_at INTEGER NOT NULL,"
    " released_at INTEGER NOT NULL DEFAULT 0, released_by TEXT NOT NULL DEFAULT '',"
    " release_reason TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE forgotten(source TEXT NOT NULL, account TEXT NOT NULL, reason TEXT NOT NULL,"
    " forgotten_by TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(source, account)) WITHOUT ROWID",
};

// Decoded parts. `class` is the retention class within which a part is shared; there is but one
// class, 0: policies change, and packs are sorted by when they expire instead (docs/retention.md).
// A pack that was replaced keeps its row, so that the event that named it can be applied again
// without harm.
constexpr const char* kVersion5[] = {
    "ALTER TABLE contents ADD COLUMN composition INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE packs ADD COLUMN replaced INTEGER NOT NULL DEFAULT 0",  // when
    "CREATE TABLE parts(part INTEGER PRIMARY KEY, digest BLOB NOT NULL,"
    " class INTEGER NOT NULL DEFAULT 0, key BLOB NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " pack INTEGER NOT NULL, frame INTEGER NOT NULL)",
    "CREATE INDEX parts_by_digest ON parts(digest, class)",
    "CREATE INDEX parts_by_place ON parts(pack, frame)",
    "CREATE TABLE held_parts(part INTEGER NOT NULL, account INTEGER NOT NULL,"
    " wrapped BLOB NOT NULL, PRIMARY KEY(part, account)) WITHOUT ROWID",
    "CREATE TABLE content_parts(content INTEGER NOT NULL, position INTEGER NOT NULL,"
    " part INTEGER NOT NULL, PRIMARY KEY(content, position)) WITHOUT ROWID",
    "CREATE INDEX contents_by_place ON contents(pack, frame)",
};

// What was disposed of. An item without versions keeps its row, so that it is not archived again;
// `disposal` is the row of the one that took them. `rewrite_by` is the time by which what is no
// longer kept has to be out of a pack; 0: all is kept.
constexpr const char* kVersion6[] = {
    "CREATE TABLE approvals(at INTEGER NOT NULL, definition TEXT NOT NULL,"
    " approved_by TEXT NOT NULL, PRIMARY KEY(at, definition)) WITHOUT ROWID",
    "CREATE TABLE disposals(disposal INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " cause INTEGER NOT NULL, policy TEXT NOT NULL, reason TEXT NOT NULL,"
    " disposed_by TEXT NOT NULL, at INTEGER NOT NULL, items INTEGER NOT NULL,"
    " versions INTEGER NOT NULL, bytes INTEGER NOT NULL, segment INTEGER NOT NULL,"
    " leaf INTEGER NOT NULL)",
    "ALTER TABLE items ADD COLUMN disposal INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX items_disposed ON items(account) WHERE disposal>0",
    "ALTER TABLE packs ADD COLUMN rewrite_by INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX packs_to_rewrite ON packs(rewrite_by) WHERE rewrite_by>0",
};

// The order in which versions came into the catalog, for who follows it.
constexpr const char* kVersion7[] = {kVersionsBySegment};

// What items have beside their bytes, and what is known of those that could not be fetched yet.
constexpr const char* kVersion8[] = {
    "ALTER TABLE versions ADD COLUMN properties TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE failures ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE failures ADD COLUMN properties TEXT NOT NULL DEFAULT ''",
};

// How the store protects a pack, as it was last told to or told; 0: not, or not known.
constexpr const char* kVersion9[] = {
    "ALTER TABLE packs ADD COLUMN locked_until INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE packs ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
};

// Sources that are not in the profile, those that are not read for now, and who did what.
constexpr const char* kVersion10[] = {
    "CREATE TABLE kept_sources(id TEXT PRIMARY KEY, event TEXT NOT NULL, at INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE paused_sources(id TEXT PRIMARY KEY, paused_by TEXT NOT NULL, at INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE audit(entry INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,"
    " done_by TEXT NOT NULL, role TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"
    " detail TEXT NOT NULL)",
};

int user_version(Poco::Data::Session& session) {
    int version = 0;
    session << "PRAGMA user_version", into(version), now;
    return version;
}

template <std::size_t N>
void step(Poco::Data::Session& session, const char* const (&statements)[N], int version) {
    session << "BEGIN IMMEDIATE", now;
    // Somebody else may have been here while we waited for our turn.
    if (user_version(session) < version) {
        for (const char* statement : statements) {
            session << statement, now;
        }
        session << "PRAGMA user_version=" + std::to_string(version), now;
    }
    session << "COMMIT", now;
}

Status refuse_newer(int version) {
    if (version > kSchemaVersion) {
        return Error{Errc::unsupported,
                     "the catalog has tables of version " + std::to_string(version) +
                         ", this engine knows up to " + std::to_string(kSchemaVersion) +
                         ": use the newer engine, or move the catalog away and run `rebuild`"};
    }
    return {};
}

}  // namespace

std::filesystem::path catalog_file(const std::filesystem::path& folder) {
    return folder / "catalog.db";
}

Status migrate(const std::filesystem::path& file) {
    return translated("opening the catalog", [&]() -> Status {
        auto session = open_session(file, Access::write);
        const int version = user_version(session);
        OPENARCHIVER_CHECK(refuse_newer(version));
        if (version < 1) {
            step(session, kVersion1, 1);
        }
        if (version < 2) {
            step(session, kVersion2, 2);
        }
        if (version < 3) {
            step(session, kVersion3, 3);
        }
        if (version < 4) {
            step(session, kVersion4, 4);
        }
        if (version < 5) {
            step(session, kVersion5, 5);
        }
        if (version < 6) {
            step(session, kVersion6, 6);
        }
        if (version < 7) {
            step(session, kVersion7, 7);
        }
        if (version < 8) {
            step(session, kVersion8, 8);
        }
        if (version < 9) {
            step(session, kVersion9, 9);
        }
        if (version < 10) {
            step(session, kVersion10, 10);
        }
        return {};
    });
}

void drop_late_indexes(Poco::Data::Session& session) {
    session << "DROP INDEX items_by_ref", now;
    session << "DROP INDEX versions_by_segment", now;
}

void make_late_indexes(Poco::Data::Session& session) {
    session << kItemsByRef, now;
    session << kVersionsBySegment, now;
}

Status check_schema(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) {
        return Error{Errc::not_found, "there is no catalog at " + file.string()};
    }
    int version = 0;
    OPENARCHIVER_CHECK(translated("opening the catalog", [&]() -> Status {
        auto session = open_session(file, Access::read);
        version = user_version(session);
        return {};
    }));
    if (version < 1) {
        return Error{Errc::corrupt,
                     "the catalog at " + file.string() + " is empty; run `openarchiver rebuild`"};
    }
    return version < kSchemaVersion ? migrate(file) : refuse_newer(version);
}

}  // namespace openarchiver::catalog
