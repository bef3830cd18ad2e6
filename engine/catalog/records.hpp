#pragma once

#include <compare>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <vector>

#include "archive/digest.hpp"
#include "archive/pack.hpp"
#include "catalog/event.hpp"

/// What the catalog tells. `key` is the row's number: good for this catalog file only.
namespace openarchiver::catalog {

/// The last error of a source, an account or a folder; `at` is 0 while all is well.
struct LastError {
    sdk::Timestamp at;
    std::string code;
    std::string message;
    std::string request_id;
    int attempts = 0;
};

struct SourceRecord {
    std::int64_t key = 0;
    std::string id;
    std::string name;
    std::string provider;
    /// When its initial import ended; 0: not yet.
    sdk::Timestamp imported_at;
    sdk::Timestamp run_started_at;
    sdk::Timestamp run_ended_at;
    sdk::Timestamp good_run_at;
    std::string error_code;
    std::string error_message;
    /// The JSON document of the last sync run; empty: none yet.
    std::string run_report;
    std::optional<sdk::Cursor> accounts_cursor;
};

struct AccountRecord {
    std::int64_t key = 0;
    std::string source;
    std::string id;
    std::string address;
    std::string display_name;
    sdk::AccountState state = sdk::AccountState::available;
    std::string reason;
    sdk::Timestamp first_pass_at;
    sdk::Timestamp last_pass_at;
    LastError error;
    std::optional<sdk::Cursor> folders_cursor;
};

struct FolderRecord {
    std::int64_t key = 0;
    std::int64_t account_key = 0;
    sdk::Folder folder;
    /// Display names from below the root down to this folder.
    std::vector<std::string> path;
    sdk::Timestamp removed_at;
    sdk::Timestamp synced_at;
    /// When the service last said how many items it holds.
    sdk::Timestamp counted_at;
    /// How many of these the archive could not account for when it compared; absent: it did not.
    std::optional<std::uint64_t> unexplained;
    /// When the log last got a cursor of this folder.
    sdk::Timestamp cursor_logged_at;
    LastError error;
    std::optional<sdk::Cursor> cursor;
};

struct ItemCounts {
    std::uint64_t items = 0;       ///< archived items, all their lives
    std::uint64_t in_mailbox = 0;  ///< ... that are still in their account
    std::uint64_t failures = 0;    ///< not archived, not accepted
};

/// What the archive has of a folder.
struct FolderCounts {
    std::uint64_t items = 0;        ///< in it now
    std::uint64_t disposed = 0;     ///< in it now, archived once
    std::uint64_t failed = 0;       ///< not in it for a recorded reason, accepted or not
    std::uint64_t outstanding = 0;  ///< failures that nobody accepted
};

/// What a sync needs to know of an item that a listing shows.
struct KnownItem {
    std::int64_t key = 0;
    std::string content_tag;  ///< of the newest version
    bool in_folder = false;
    Fidelity fidelity = Fidelity::exact;  ///< of the newest version
    bool disposed = false;                ///< of all its versions
};

/// One version of an item, with all that reading it back takes.
struct VersionRecord {
    std::int64_t item_key = 0;
    std::int64_t version = 0;
    std::string ref;
    std::string source;
    std::int64_t account_key = 0;
    std::string account;
    std::string address;
    std::string item;
    sdk::Timestamp left_at;  ///< 0: in its account
    std::int64_t content_key = 0;
    archive::Digest content{};
    std::uint64_t size = 0;
    std::string content_tag;
    std::string media_type;
    sdk::Timestamp received_at;  ///< 0: unknown
    sdk::Timestamp archived_at;
    std::string message_id;
    std::string subject;
    std::string from;
    std::string properties;  ///< JSON (properties.hpp); empty: none
    Fidelity fidelity = Fidelity::exact;
    std::int64_t segment = 0;  ///< of VersionMark
};

/// A place in the order in which versions came into a catalog; good for this catalog file only.
struct VersionMark {
    std::int64_t segment = 0;
    std::int64_t item_key = 0;
    std::int64_t version = 0;

    auto operator<=>(const VersionMark&) const = default;
};

/// A place among all versions, in the order in which items were archived.
struct VersionPosition {
    std::int64_t item = 0;  ///< item_key
    std::int64_t version = 0;
};

/// Where the log and the tree have the leaf of a version.
struct LeafRecord {
    std::string writer;
    std::uint64_t sequence = 0;
    std::uint32_t leaf = 0;  ///< in its segment
    /// In the tree; absent: no head covers it yet.
    std::optional<std::uint64_t> number;
};

enum class HistoryKind : std::uint8_t { archived, placed, left };

struct HistoryRecord {
    sdk::Timestamp at;
    HistoryKind kind = HistoryKind::archived;
    std::int64_t folder_key = 0;
};

struct FailureRecord {
    std::string source;
    std::string account;
    std::string address;
    sdk::Item item;
    std::string ref;
    std::int64_t folder_key = 0;
    std::string folder;  ///< the folder's own id
    std::string code;
    std::string message;
    std::string service_code;
    std::string request_id;
    int attempts = 0;
    sdk::Timestamp first_at;
    sdk::Timestamp last_at;
    sdk::Timestamp next_try_at;
    bool accepted = false;
    /// Of the newest version that is archived nevertheless; absent: there is none.
    std::optional<Fidelity> archived;
};

/// A legal hold; `released_at` 0: in force.
struct HoldRecord {
    HoldPlaced hold;
    sdk::Timestamp placed_at;
    sdk::Timestamp released_at;
    std::string released_by;
    std::string release_reason;
};

/// A source that the API made.
struct KeptSource {
    SourceDefined defined;
    sdk::Timestamp at;
};

struct PausedSource {
    std::string id;
    std::string by;
    sdk::Timestamp at;
};

struct AuditRecord {
    std::int64_t key = 0;  ///< grows in the order in which the log took them
    sdk::Timestamp at;
    Audited entry;
};

/// Empty members do not restrict.
struct AuditFilter {
    std::string by = {};
    std::string action = {};
    std::string object = {};
    std::optional<sdk::Timestamp> since = {};
    std::optional<sdk::Timestamp> until = {};
};

/// What items were disposed of, why and by whom.
struct DisposalRecord {
    std::string id;
    DisposalCause cause = DisposalCause::retention;
    std::string policy;
    std::string reason;
    std::string by;
    sdk::Timestamp at;
    std::uint64_t items = 0;
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;
};

/// The last approval of retention policies.
struct ApprovalRecord {
    std::string definition;
    std::string by;
    sdk::Timestamp at;
};

/// An account whose key was destroyed: nothing of it can be read, and it is not archived again.
struct ForgottenRecord {
    std::string source;
    std::string account;
    std::string reason;
    std::string by;
    sdk::Timestamp at;
};

/// A part as one account holds it.
struct PartRecord {
    std::int64_t key = 0;
    PartHeld held;
    std::string source;
    std::string account;
};

struct SmallPack {
    std::int64_t key = 0;
    std::uint64_t size = 0;
    std::uint64_t raw_bytes = 0;  ///< of its frames, decompressed
};

/// A pack with bytes that are no longer kept.
struct PackToRewrite {
    std::int64_t key = 0;
    archive::Digest id{};
    sdk::Timestamp by;  ///< when they have to be out of it
    std::uint64_t raw_bytes = 0;
    std::uint64_t kept_bytes = 0;  ///< of `raw_bytes`
};

/// Where a content is in a pack, or a composition.
struct ContentInPack {
    std::int64_t key = 0;
    archive::Placement placement;
    std::uint64_t size = 0;
};

struct PackRecord {
    sdk::Timestamp replaced_at;  ///< 0: it holds contents
    /// By the store, as far as known; 0: not.
    sdk::Timestamp locked_until;
    bool held = false;
};

/// A pack that holds contents, or that the store keeps although it holds none any more.
struct ProtectedPack : PackRecord {
    std::int64_t key = 0;
    archive::Digest id{};
    std::uint64_t size = 0;
    std::uint64_t raw_bytes = 0;  ///< of its frames, decompressed
    /// It has bytes that are no longer kept.
    bool to_rewrite = false;
};

/// What was found when the store's locks were last brought in step with the policies.
struct LocksRecord {
    sdk::Timestamp at;      ///< 0: never
    sdk::Timestamp log_at;  ///< ... those of segments and heads
    std::string report;
};

struct Totals {
    std::uint64_t items = 0;
    std::uint64_t versions = 0;
    std::uint64_t version_bytes = 0;  ///< what the versions' contents add up to
    std::uint64_t contents = 0;
    std::uint64_t content_bytes = 0;  ///< each content of an account counted once
    std::uint64_t parts = 0;
    std::uint64_t part_bytes = 0;    ///< each part counted once
    std::uint64_t shared_bytes = 0;  ///< what was not stored again because parts are shared
    std::uint64_t packs = 0;
    std::uint64_t raw_bytes = 0;  ///< of the packs' frames, decompressed
    std::uint64_t pack_bytes = 0;
};

}  // namespace openarchiver::catalog
