// Which resource a path below /v1.0 names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace graph_simulator {

enum class RouteKind {
    Unknown,
    Users,
    UsersDelta,
    User,
    Group,
    Members,
    TransitiveMembers,
    Folders,
    FoldersDelta,
    Folder,
    ChildFolders,
    Messages,
    MessagesDelta,
    MailboxDelta,
    Message,
    Value,
    FolderValue,
    Attachments,
    Attachment,
    AttachmentValue,
    MailboxSettings,
    UserPurpose,
    Translate,
    Batch,
    Subscriptions,
    Subscription,
};

struct Route {
    RouteKind kind = RouteKind::Unknown;
    std::string user;
    std::string folder;  // empty for a whole mailbox
    std::string message;
    std::string attachment;
    std::string group;
    std::string subscription;
    bool user_cast = false;  // /microsoft.graph.user
    bool bad_escape = false;
    std::string last_segment;

    bool in_mailbox() const;
    // For the log and for fault rules.
    std::string_view name() const;
};

// `path` begins after the version and is still percent-encoded.
Route parse_route(std::string_view path);

}  // namespace graph_simulator
