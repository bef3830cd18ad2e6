#include "tenant.hpp"

#include <algorithm>

#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {

User* Tenant::find_user(std::string_view id_or_upn) {
    const auto found = by_id_.find(lower(id_or_upn));
    if (found != by_id_.end())
        return users_[found->second].get();
    // A principal name given to a new account belongs to the newest holder.
    for (auto user = users_.rbegin(); user != users_.rend(); ++user) {
        if (iequals((*user)->upn, id_or_upn))
            return user->get();
    }
    return nullptr;
}

Folder* Tenant::find_folder(User& user, std::string_view id_or_well_known) {
    if (const auto number = user.ids.parse_folder(id_or_well_known)) {
        if (*number >= user.folders.size() || user.folders[*number].deleted)
            return nullptr;
        return &user.folders[*number];
    }
    for (Folder& folder : user.folders) {
        if (!folder.deleted && !folder.well_known.empty() &&
            iequals(folder.well_known, id_or_well_known)) {
            return &folder;
        }
    }
    return nullptr;
}

Folder* Tenant::find_folder_by_any(User& user, std::string_view text) {
    if (Folder* folder = find_folder(user, text))
        return folder;
    for (Folder& folder : user.folders) {
        if (!folder.deleted && folder.name == text)
            return &folder;
    }
    for (Folder& folder : user.folders) {
        if (!folder.deleted && folder_path(user, folder) == text)
            return &folder;
    }
    return nullptr;
}

Message* Tenant::find_message(User& user, std::string_view id) {
    const auto ref = user.ids.parse_message(id);
    if (!ref || ref->number >= user.messages.size())
        return nullptr;
    Message& message = user.messages[ref->number];
    if (!ref->immutable && (ref->folder != message.folder || ref->moves != message.moves)) {
        return nullptr;
    }
    return &message;
}

std::string Tenant::message_id(const User& user, const Message& message, bool immutable) {
    return immutable ? user.ids.immutable(message.number)
                     : user.ids.mutable_id(message.number, message.folder, message.moves);
}

std::string Tenant::folder_path(const User& user, const Folder& folder) {
    if (folder.parent == kNone || folder.parent == 0)
        return folder.name;
    return folder_path(user, user.folders[folder.parent]) + "/" + folder.name;
}

std::uint32_t Tenant::child_count(const User& user, const Folder& folder, bool hidden) {
    std::uint32_t count = 0;
    for (const Folder& child : user.folders) {
        if (child.parent == folder.number && !child.deleted && (hidden || !child.hidden))
            ++count;
    }
    return count;
}

bool Tenant::inside_deleted(const User& user, const Folder& folder) {
    return folder.deleted ||
           (folder.parent != kNone && inside_deleted(user, user.folders[folder.parent]));
}

const std::vector<std::uint32_t>& Tenant::by_received(const User& user, const Folder& folder) {
    if (folder.sorted_version != folder.items_version) {
        folder.sorted = folder.items;
        std::sort(folder.sorted.begin(), folder.sorted.end(),
                  [&](std::uint32_t a, std::uint32_t b) {
                      const std::int64_t left = user.messages[a].received;
                      const std::int64_t right = user.messages[b].received;
                      return left != right ? left < right : a < b;
                  });
        folder.sorted_version = folder.items_version;
    }
    return folder.sorted;
}

ContentOwner Tenant::owner(const User& user) const {
    return {user.original_name, user.original_address};
}

User& Tenant::add_user(std::string name, std::string upn, MailboxState mailbox) {
    Random random(mix(plan_.seed, 1000 + users_.size()));
    const bool first = users_.empty();
    std::string id = first ? "2b6f3c8a-0d1e-4f2a-9b3c-4d5e6f708192" : guid_from(random);
    auto user = std::make_unique<User>(std::move(id), plan_.awkward_ids);
    user->number = static_cast<std::uint32_t>(users_.size());
    user->mail = upn;
    user->original_address = upn;
    user->original_name = name;
    user->name = std::move(name);
    user->upn = std::move(upn);
    user->mailbox = mailbox;
    user->licensed = mailbox != MailboxState::None;
    user->created = 1707643800 + user->number * 3600;
    by_id_.emplace(user->id, user->number);
    users_.push_back(std::move(user));
    User& added = *users_.back();
    user_changed(added);
    if (mailbox != MailboxState::None && mailbox != MailboxState::Invalid) {
        build_folders(added);
    }
    return added;
}

void Tenant::user_changed(User& user) {
    user.last_change = static_cast<std::uint32_t>(user_log_.size());
    user_log_.push_back(user.number);
}

void Tenant::remove_user(User& user, bool for_good) {
    user.removed = true;
    user.removed_for_good = for_good;
    user_changed(user);
}

void Tenant::restore_user(User& user) {
    user.removed = false;
    user.removed_for_good = false;
    user_changed(user);
}

Folder& Tenant::add_folder(User& user, std::string name, std::uint32_t parent,
                           std::string well_known) {
    Folder folder;
    folder.number = static_cast<std::uint32_t>(user.folders.size());
    folder.parent = parent;
    folder.name = std::move(name);
    folder.well_known = std::move(well_known);
    user.folders.push_back(std::move(folder));
    folder_changed(user, user.folders.back());
    return user.folders.back();
}

void Tenant::folder_changed(User& user, Folder& folder) {
    folder.last_change = static_cast<std::uint32_t>(user.folder_log.size());
    user.folder_log.push_back(folder.number);
}

void Tenant::delete_folder(User& user, Folder& folder) {
    for (Folder& child : user.folders) {
        if (child.parent == folder.number && !child.deleted)
            delete_folder(user, child);
    }
    const std::vector<std::uint32_t> items = folder.items;
    for (const std::uint32_t number : items) remove(user, user.messages[number]);
    folder.deleted = true;
    folder_changed(user, folder);
}

void Tenant::append(User& user, Folder& folder, Message& message, ChangeKind kind) {
    const auto entry = static_cast<std::uint32_t>(folder.log.size());
    if (kind == ChangeKind::Removed) {
        folder.log.push_back({message.number, message.arrival, now_milliseconds(), kind});
    } else {
        if (kind != ChangeKind::Updated)
            message.arrival = entry;
        message.last_entry = entry;
        folder.log.push_back({message.number, message.arrival, now_milliseconds(), kind});
    }
    if (kind != ChangeKind::Updated) {
        ++folder.items_version;
        folder_changed(user, folder);  // its counts have changed
    }
    if (observer_)
        observer_(user, message, kind);
}

void Tenant::leave(User& user, Message& message) {
    Folder& folder = user.folders[message.folder];
    const auto at = std::find(folder.items.begin(), folder.items.end(), message.number);
    if (at != folder.items.end())
        folder.items.erase(at);
    if (!message.read && folder.unread > 0)
        --folder.unread;
    append(user, folder, message, ChangeKind::Removed);
}

Message& Tenant::deliver(User& user, Folder& folder, Content content, std::int64_t received,
                         bool draft) {
    Message message;
    message.number = static_cast<std::uint32_t>(user.messages.size());
    message.folder = folder.number;
    message.received = received;
    message.modified = received;
    message.draft = draft;
    message.content = content;
    message.content.received = received;
    message.content.draft = draft;
    if (message.content.kind == Content::Kind::Generated && message.content.seed == 0) {
        message.content.seed = mix(mix(plan_.seed, user.number), message.number);
    }
    message.read = draft || content.sent_by_owner || mix(message.content.seed, 9) % 10 < 7;
    user.messages.push_back(std::move(message));
    Message& added = user.messages.back();
    folder.items.push_back(added.number);
    if (!added.read)
        ++folder.unread;
    append(user, folder, added, ChangeKind::Created);
    return added;
}

void Tenant::move(User& user, Message& message, Folder& target, bool lose_return) {
    const std::uint32_t number = message.number;
    const bool was_there =
        std::any_of(target.log.begin(), target.log.end(), [&](const LogEntry& entry) {
            return entry.message == number && entry.kind == ChangeKind::Removed;
        });
    leave(user, message);
    message.folder = target.number;
    ++message.moves;
    ++message.version;
    message.modified = now_seconds();
    target.items.push_back(number);
    if (!message.read)
        ++target.unread;
    append(user, target, message,
           lose_return && was_there ? ChangeKind::Returned : ChangeKind::Created);
}

void Tenant::remove(User& user, Message& message) {
    if (message.deleted)
        return;
    leave(user, message);
    message.deleted = true;
    message.modified = now_seconds();
}

void Tenant::touch(User& user, Message& message) {
    Folder& folder = user.folders[message.folder];
    message.read = !message.read;
    message.flagged = !message.flagged;
    if (message.read)
        --folder.unread;
    else
        ++folder.unread;
    ++message.version;
    message.modified = now_seconds();
    append(user, folder, message, ChangeKind::Updated);
}

void Tenant::send_draft(User& user, Message& message) {
    Folder* sent = find_folder(user, "sentitems");
    message.earlier.push_back(message.content);
    Content content;
    content.sent_by_owner = true;
    content.seed = mix(message.content.seed, 500 + message.earlier.size());
    content.received = now_seconds();
    message.content = content;
    message.received = content.received;
    message.draft = false;
    if (sent != nullptr)
        move(user, message, *sent, false);
}

void Tenant::expire_delta(User& user, Folder* folder) {
    constexpr std::uint32_t kStep = 35;
    if (folder != nullptr) {
        folder->generation += kStep;
        return;
    }
    user.folders_generation += kStep;
    for (Folder& each : user.folders) each.generation += kStep;
}

}  // namespace graph_simulator
