#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph_failure.hpp"

/// Graph's JSON as far as it is needed. Unknown members are ignored, missing ones tolerated.
namespace openarchiver::microsoft365 {

template <typename Entry>
struct Page {
    std::vector<Entry> entries;
    std::string next_link;
    std::string delta_link;
    /// Entries without an id, which nothing can be done with.
    std::size_t unusable = 0;
};

/// What a list of changes says of a user that is gone.
enum class Removal : std::uint8_t { none, restorable, for_good };

struct UserEntry {
    std::string id;
    std::string user_principal_name;
    std::string mail;
    std::string display_name;
    bool guest = false;
    bool has_exchange_plan = false;
    /// Addresses of SMTP, the primary one included.
    std::vector<std::string> addresses;
    Removal removal = Removal::none;
};

struct FolderEntry {
    std::string id;
    std::string parent_id;
    std::string display_name;
    std::uint64_t child_count = 0;
    std::optional<std::uint64_t> item_count;
    std::optional<std::uint64_t> unread_count;
    bool hidden = false;
    bool search = false;
    bool removed = false;
};

struct MessageEntry {
    std::string id;
    std::optional<std::string> internet_message_id;
    std::optional<sdk::Timestamp> received_at;
    std::optional<sdk::Timestamp> created_at;
    std::optional<bool> draft;
    std::string etag;
    bool removed = false;
};

/// A message with its size in the store, where the service told it.
struct SizeEntry {
    std::string id;
    std::optional<std::uint64_t> size;
};

/// A subscription of the application to changes.
struct SubscriptionEntry {
    std::string id;
    std::string change_type;
    std::string resource;
    std::string notification_url;
    std::string lifecycle_url;
    std::optional<sdk::Timestamp> expires;
};

/// What is said of an answer that is not what was asked for: a proxy's page, or cut.
sdk::Error not_a_document();

/// Whether a text has both ends of a JSON object: a cheap look, so that it can be asked for again.
bool looks_whole(std::string_view text);

/// unavailable: the body is not such a document (a proxy's page, or cut).
sdk::Result<Page<UserEntry>> parse_users(std::string_view json);
sdk::Result<Page<FolderEntry>> parse_folders(std::string_view json);
sdk::Result<Page<MessageEntry>> parse_messages(std::string_view json);
/// A user alone.
sdk::Result<UserEntry> parse_user(std::string_view json);
sdk::Result<Page<SizeEntry>> parse_sizes(std::string_view json);
/// A folder alone.
sdk::Result<FolderEntry> parse_folder(std::string_view json);
sdk::Result<Page<SubscriptionEntry>> parse_subscriptions(std::string_view json);
/// A subscription alone.
sdk::Result<SubscriptionEntry> parse_subscription(std::string_view json);

/// ISO 8601 in UTC, with any fraction of a second.
std::optional<sdk::Timestamp> parse_timestamp(std::string_view text);

}  // namespace openarchiver::microsoft365
