#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What a provider tells about a service. All texts are UTF-8; ids are opaque, case-sensitive,
/// not empty and at most 2 KiB.
namespace openarchiver::sdk {

using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// Opaque position in the changes of a folder, of a folder tree or of the list of accounts. The
/// engine stores it and gives it back, never looks inside and never logs it. At most 64 KiB.
struct Cursor {
    /// Raised by the plugin when the meaning of `value` changes; a plugin that is given a format it
    /// does not know answers Errc::cursor_expired.
    std::uint32_t format = 0;
    std::string value = {};

    bool operator==(const Cursor&) const = default;
};

enum class AccountState : std::uint8_t {
    available,         ///< to be archived
    without_mailbox,   ///< exists upstream, has nothing to archive (now)
    excluded,          ///< left out by the source's configuration
    closed_by_policy,  ///< the service does not let this application in
    deleted_upstream,  ///< gone upstream; what was archived stays
};

/// Whatever items belong to upstream: a mailbox, a drive, a channel, a queue of tickets.
struct Account {
    /// Stable for the life of the account upstream, across renames.
    std::string id = {};
    /// What people call it and name it by: the primary mail address, a path, "team/queue".
    std::string address = {};
    std::string display_name = {};
    AccountState state = AccountState::available;
    /// Why, in plain words, where `state` is not `available`.
    std::string reason = {};
    /// What decides about it (a group, say) could not be read: an account that the engine knows
    /// keeps the state it has; `state` is for one that it does not know.
    bool undecided = false;
};

struct Folder {
    /// Unique within its account, stable across renames and moves.
    std::string id = {};
    /// Empty: directly below the root.
    std::string parent_id = {};
    std::string display_name = {};
    /// Language-independent role where the service has one ("inbox", "drafts", "sentitems").
    std::string well_known_name = {};
    bool hidden = false;
    /// False: the configuration (or its defaults) leaves this folder out; it is shown, not synced.
    bool archived = true;
    /// How many items the service says it holds; for estimates only.
    std::optional<std::uint64_t> item_count = {};
};

/// What an item has beside its bytes, such as a ticket's state or a file's owner.
struct Property {
    /// `[a-z][a-z0-9_]*`, at most 64 characters, at most once in an item.
    std::string name = {};
    /// Texts have at most 4 KiB.
    std::variant<std::string, std::int64_t, double, bool, Timestamp> value = {};

    bool operator==(const Property&) const = default;
};

/// An item as a listing describes it. It may be reported in several folders of its account: each
/// reports it, and its content is kept once.
struct Item {
    /// Stable for the life of the item in its account, across moves.
    std::string id = {};
    /// Changes exactly when the content changes; untouched by moves and flags. Empty: this listing
    /// does not tell, which never makes a new version of a known item.
    std::string content_tag = {};
    /// Of the content. The engine looks into `message/rfc822` only, for subject, sender and date.
    std::string media_type = "message/rfc822";
    std::optional<Timestamp> received_at = {};
    /// How large the content probably is, in bytes; for estimates and back pressure only.
    std::optional<std::uint64_t> size_hint = {};
    /// What lists show and search finds where the content is no mail. At most 1 KiB.
    std::string title = {};
    /// Kept with the version that is made of this listing, shown and exported with it; at most 64.
    /// A change of properties alone makes no version: where it has to, let `content_tag` follow.
    std::vector<Property> properties = {};
};

}  // namespace openarchiver::sdk
