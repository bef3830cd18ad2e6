#pragma once

#include <cstdint>
#include <openarchiver/sdk/error.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "archive/digest.hpp"
#include "archive/pack.hpp"
#include "catalog/item_filter.hpp"
#include "evidence/statement.hpp"

/// The events of the archive's log (docs/archive-format.md, Events): what the catalog is made of.
namespace openarchiver::catalog {

struct SourceSeen {
    std::string name;
    std::string provider;
};

struct AccountSeen {
    std::string address;
    std::string display_name;
    sdk::AccountState state = sdk::AccountState::available;
    std::string reason;
};

struct FolderSeen {
    sdk::Folder folder;
};

struct FolderRemoved {
    std::string folder;
};

/// A pack whose contents are in another one now.
struct ReplacedPack {
    /// What was in the frame at `from` or behind it, up to the next one's, is as far from `to` in
    /// the other pack.
    struct Moved {
        archive::Placement from;
        archive::Placement to;
    };

    archive::Digest id{};
    std::vector<Moved> moved;  ///< by `from`
};

struct PackStored {
    archive::PackInfo pack;
    std::vector<ReplacedPack> replaces = {};
    /// What is in it of other packs, which go on with the rest: here `moved` names what begins
    /// exactly there.
    std::vector<ReplacedPack> takes = {};
};

/// Nothing that was in the pack is kept any more.
struct PackDropped {
    archive::Digest id{};
};

/// A part of a composition, as one account holds it.
struct PartHeld {
    archive::Digest id{};  ///< SHA-256 of its bytes
    std::uint64_t size = 0;
    archive::KeyId key{};
    archive::WrappedKey wrapped{};
    archive::Digest pack{};
    std::uint32_t frame = 0;

    bool operator==(const PartHeld&) const = default;
};

/// Where a content is.
struct ContentPlace {
    archive::Digest pack{};
    archive::Placement placement;
    /// Of the composition that is at that place; 0: the content itself is.
    std::uint64_t composition_size = 0;
    std::vector<PartHeld> parts;  ///< of the composition, in order
};

enum class Fidelity : std::uint8_t { exact, reconstructed };

/// A new version of an item: new to the archive, or with another content tag than before.
struct ItemArchived {
    std::string item;
    std::string content_tag;
    std::string media_type;
    std::string folder;
    archive::Digest content{};
    std::uint64_t size = 0;
    ContentPlace place;
    std::optional<sdk::Timestamp> received_at;
    std::string message_id;
    std::string subject;
    std::string from;
    std::string properties;  ///< JSON (properties.hpp); empty: none
    Fidelity fidelity = Fidelity::exact;
    /// Of its leaf, and where that is in the segment's LeavesAdded.
    evidence::LeafSalt salt{};
    std::uint32_t leaf = 0;
};

/// The leaves of the tree that this segment adds: one for each ItemArchived and Disposal in it. An
/// event of the archive, so that they stay when an account is forgotten.
struct LeavesAdded {
    std::vector<archive::Digest> hashes;
};

/// A known item was found in a folder where it was not before.
struct ItemPlaced {
    std::string item;
    std::string folder;
};

/// An item is no longer in a folder.
struct ItemLeft {
    std::string item;
    std::string folder;
};

/// An item could not be archived, for a reason of its own. Keeps what the listing told, so that a
/// later retry needs no listing.
struct ItemFailed {
    sdk::Item item;
    std::string folder;
    sdk::Error error;
};

/// A failed item needs no more attention: fetched later, gone, or accepted by a person.
struct FailureSettled {
    std::string item;
    bool accepted = false;
};

enum class CursorScope : std::uint8_t { accounts, folders, folder };

struct CursorAdvanced {
    CursorScope scope = CursorScope::folder;
    std::string folder;  ///< only with CursorScope::folder
    /// Absent: forgotten, list anew next time.
    std::optional<sdk::Cursor> cursor;
};

/// Every folder of the account was synced without an error: its mail is archived up to here. The
/// first one ends its initial import. Without an account: the source's initial import ended.
struct PassCompleted {};

/// Nothing of what `scope` covers is disposed of or forgotten until the hold is released; what
/// comes later is covered, too.
struct HoldPlaced {
    std::string id;
    std::string matter;
    std::string reason;
    ItemFilter scope;
    /// The accounts and folders that the scope named then: they stay in it under another address or
    /// path.
    std::vector<std::string> account_ids = {};
    std::vector<std::string> folder_ids = {};
    /// In the language of searches: of what the scope covers, what it finds or can't read; empty:
    /// all.
    std::string query;
    std::string by;
};

struct HoldReleased {
    std::string id;
    std::string reason;
    std::string by;
};

/// The key of an account is destroyed, and the account is not archived again. An event of the
/// archive: nothing sealed with that key can tell.
struct AccountForgotten {
    std::string source;
    std::string account;
    std::string reason;
    std::string by;
    archive::KeyId key{};  ///< that was destroyed; zero: there was none
};

/// The retention policies of the profile, in the very form that a person approved.
struct RetentionApproved {
    std::string definition;
    std::string by;
};

enum class DisposalCause : std::uint8_t { retention, forget };

/// Items are disposed of, those that ItemsDisposed of the same segment name: what remains as a
/// proof. An event of the archive, so that it stays when an account is forgotten.
struct Disposal {
    std::string id = {};
    DisposalCause cause = DisposalCause::retention;
    std::string policy = {};  ///< with DisposalCause::retention
    std::string reason = {};
    std::string by = {};
    std::vector<std::string> refs = {};  ///< of the items
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;  ///< that the versions' contents add up to
    /// Of its leaf, as of an ItemArchived.
    evidence::LeafSalt salt{};
    std::uint32_t leaf = 0;
};

/// Of one account: their versions are no longer kept, and they are not archived again.
struct ItemsDisposed {
    struct Item {
        std::string id;
        std::uint64_t versions = 0;  ///< a later one stays, and the item with it
    };

    std::string disposal;
    std::vector<Item> items;
};

/// A source that was made or changed through the API; the last one counts. An event of the archive.
struct SourceDefined {
    std::string source = {};
    std::string definition = {};  ///< JSON (profile/kept_source.hpp), without secrets
    /// Sealed as the vault's own files are, by JSON pointer within the configuration.
    std::vector<std::pair<std::string, std::string>> secrets = {};
    std::string by = {};
};

/// A source of the API is no longer read. What was archived of it stays. An event of the archive.
struct SourceRemoved {
    std::string source;
    std::string by;
};

/// A source, of the API or of the profile, is not read until it is resumed. An event of the
/// archive.
struct SourcePaused {
    std::string source = {};
    bool paused = true;
    std::string by = {};
};

/// Who searched, read, took out or changed something. An event of the archive.
struct Audited {
    std::string id = {};      ///< 32 hex digits, of the entry in the journal (service/audit.hpp)
    std::string by = {};      ///< "api:" and the credential's name, or the system user
    std::string role = {};    ///< of the credential; empty: the command line
    std::string action = {};  ///< a word of docs/audit.md
    std::string object = {};  ///< what it was done to, by its id; may be empty
    std::string detail = {};  ///< JSON object
};

using EventBody =
    std::variant<SourceSeen, AccountSeen, FolderSeen, FolderRemoved, PackStored, PackDropped,
                 LeavesAdded, ItemArchived, ItemPlaced, ItemLeft, ItemFailed, FailureSettled,
                 CursorAdvanced, PassCompleted, HoldPlaced, HoldReleased, AccountForgotten,
                 RetentionApproved, Disposal, ItemsDisposed, SourceDefined, SourceRemoved,
                 SourcePaused, Audited>;

struct Event {
    sdk::Timestamp at;
    EventBody body;
};

/// Events that concern one account; with an empty `account` the source; with an empty `source` the
/// archive itself.
struct EventGroup {
    std::string source;
    std::string account;
    std::vector<Event> events;
};

/// What an item's leaf commits to.
[[nodiscard]] std::string statement_of(std::string_view archive_id, const EventGroup& group,
                                       sdk::Timestamp at, const ItemArchived& item);
/// What a disposal's leaf commits to.
[[nodiscard]] std::string statement_of(std::string_view archive_id, sdk::Timestamp at,
                                       const Disposal& disposal);
/// Gives each ItemArchived and Disposal of the groups its leaf, with a random salt.
[[nodiscard]] LeavesAdded add_leaves(std::string_view archive_id, std::vector<EventGroup>& groups);

/// One JSON document a line; the first one says whose events they are.
[[nodiscard]] std::string encode(const EventGroup& group);
/// Unknown kinds of events and unknown members are skipped: newer engines may write them.
[[nodiscard]] sdk::Result<EventGroup> decode(std::string_view lines);

}  // namespace openarchiver::catalog
