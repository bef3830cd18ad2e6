#include "route.hpp"

#include <vector>

#include "text.hpp"

namespace graph_simulator {
namespace {

using Parts = std::vector<std::string>;

// "mailFolders('x')" is the same as "mailFolders/x"; "delta()" the same as "delta".
void add_segment(Parts& parts, std::string segment) {
    const auto open = segment.find('(');
    if (open == std::string::npos || segment.back() != ')') {
        parts.push_back(std::move(segment));
        return;
    }
    std::string_view key = std::string_view(segment).substr(open + 1);
    key.remove_suffix(1);
    parts.push_back(segment.substr(0, open));
    if (key.size() >= 2 && key.front() == '\'' && key.back() == '\'') {
        std::string value;
        for (std::size_t i = 1; i + 1 < key.size(); ++i) {
            value.push_back(key[i]);
            if (key[i] == '\'' && key[i + 1] == '\'' && i + 2 < key.size())
                ++i;
        }
        parts.push_back(std::move(value));
    } else if (!key.empty()) {
        parts.back() = std::move(segment);
    }
}

bool is(const Parts& parts, std::size_t index, std::string_view text) {
    return index < parts.size() && parts[index] == text;
}

RouteKind message_kind(Route& route, const Parts& parts, std::size_t at) {
    const std::size_t left = parts.size() - at;
    if (left == 0)
        return RouteKind::Messages;
    if (left == 1 && parts[at] == "delta") {
        return route.folder.empty() ? RouteKind::MailboxDelta : RouteKind::MessagesDelta;
    }
    route.message = parts[at];
    if (left == 1)
        return RouteKind::Message;
    if (parts[at + 1] == "$value" && left == 2) {
        return route.folder.empty() ? RouteKind::Value : RouteKind::FolderValue;
    }
    if (parts[at + 1] != "attachments")
        return RouteKind::Unknown;
    if (left == 2)
        return RouteKind::Attachments;
    route.attachment = parts[at + 2];
    if (left == 3)
        return RouteKind::Attachment;
    return left == 4 && parts[at + 3] == "$value" ? RouteKind::AttachmentValue : RouteKind::Unknown;
}

RouteKind folder_kind(Route& route, const Parts& parts) {
    if (parts.size() == 3)
        return RouteKind::Folders;
    if (parts.size() == 4 && parts[3] == "delta")
        return RouteKind::FoldersDelta;
    route.folder = parts[3];
    std::size_t at = 4;
    while (is(parts, at, "childFolders") && at + 1 < parts.size()) {
        route.folder = parts[at + 1];
        at += 2;
    }
    if (at == parts.size())
        return RouteKind::Folder;
    if (parts[at] == "childFolders")
        return RouteKind::ChildFolders;
    return parts[at] == "messages" ? message_kind(route, parts, at + 1) : RouteKind::Unknown;
}

RouteKind user_kind(Route& route, const Parts& parts) {
    if (parts.size() == 1)
        return RouteKind::Users;
    if (parts.size() == 2 && parts[1] == "delta")
        return RouteKind::UsersDelta;
    route.user = parts[1];
    if (parts.size() == 2)
        return RouteKind::User;
    if (parts[2] == "mailFolders")
        return folder_kind(route, parts);
    if (parts[2] == "messages")
        return message_kind(route, parts, 3);
    if (parts[2] == "mailboxSettings") {
        if (parts.size() == 3)
            return RouteKind::MailboxSettings;
        return parts.size() == 4 && parts[3] == "userPurpose" ? RouteKind::UserPurpose
                                                              : RouteKind::Unknown;
    }
    return parts.size() == 3 && parts[2] == "translateExchangeIds" ? RouteKind::Translate
                                                                   : RouteKind::Unknown;
}

RouteKind group_kind(Route& route, const Parts& parts) {
    if (parts.size() < 2)
        return RouteKind::Unknown;
    route.group = parts[1];
    if (parts.size() == 2)
        return RouteKind::Group;
    route.user_cast = is(parts, 3, "microsoft.graph.user");
    if (parts.size() > (route.user_cast ? 4U : 3U))
        return RouteKind::Unknown;
    if (parts[2] == "members")
        return RouteKind::Members;
    return parts[2] == "transitiveMembers" ? RouteKind::TransitiveMembers : RouteKind::Unknown;
}

}  // namespace

bool Route::in_mailbox() const {
    return kind >= RouteKind::Folders && kind < RouteKind::Batch;
}

std::string_view Route::name() const {
    switch (kind) {
        case RouteKind::Users:
            return "users";
        case RouteKind::UsersDelta:
            return "users_delta";
        case RouteKind::User:
            return "user";
        case RouteKind::Group:
        case RouteKind::Members:
        case RouteKind::TransitiveMembers:
            return "groups";
        case RouteKind::Folders:
        case RouteKind::Folder:
        case RouteKind::ChildFolders:
            return "folders";
        case RouteKind::FoldersDelta:
            return "folders_delta";
        case RouteKind::Messages:
            return "messages";
        case RouteKind::MessagesDelta:
        case RouteKind::MailboxDelta:
            return "delta";
        case RouteKind::Message:
            return "message";
        case RouteKind::Value:
        case RouteKind::FolderValue:
            return "value";
        case RouteKind::Attachments:
        case RouteKind::Attachment:
        case RouteKind::AttachmentValue:
            return "attachments";
        case RouteKind::MailboxSettings:
        case RouteKind::UserPurpose:
            return "mailbox_settings";
        case RouteKind::Translate:
            return "translate";
        case RouteKind::Batch:
            return "batch";
        case RouteKind::Subscriptions:
        case RouteKind::Subscription:
            return "subscriptions";
        case RouteKind::Unknown:
            break;
    }
    return "unknown";
}

Route parse_route(std::string_view path) {
    Route route;
    Parts parts;
    for (const std::string_view segment : split(path, '/')) {
        // Graph collapses empty segments, so an empty user id makes the next name the user.
        if (segment.empty())
            continue;
        auto decoded = percent_decode(segment, false);
        if (!decoded) {
            route.bad_escape = true;
            return route;
        }
        add_segment(parts, std::move(*decoded));
    }
    if (parts.empty())
        return route;
    route.last_segment = parts.back();
    if (parts[0] == "users")
        route.kind = user_kind(route, parts);
    else if (parts[0] == "groups")
        route.kind = group_kind(route, parts);
    else if (parts[0] == "subscriptions" && parts.size() <= 2) {
        route.kind = parts.size() == 1 ? RouteKind::Subscriptions : RouteKind::Subscription;
        route.subscription = parts.size() == 2 ? parts[1] : "";
    } else if (parts.size() == 1 && parts[0] == "$batch")
        route.kind = RouteKind::Batch;
    return route;
}

}  // namespace graph_simulator
