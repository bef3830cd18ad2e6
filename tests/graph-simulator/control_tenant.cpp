// The truth about the tenant, and the calls that change it.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

struct TruthOptions {
    bool digests = false;
    std::optional<std::uint32_t> user;
};

std::string_view state_name(MailboxState state) {
    switch (state) {
        case MailboxState::Enabled:
            return "enabled";
        case MailboxState::None:
            return "none";
        case MailboxState::Invalid:
            return "invalid";
        case MailboxState::Policy:
            return "policy";
        case MailboxState::Quota:
            return "quota";
    }
    return "";
}

MailboxState state_from(std::string_view name) {
    for (const MailboxState state :
         {MailboxState::Enabled, MailboxState::None, MailboxState::Invalid, MailboxState::Policy,
          MailboxState::Quota}) {
        if (state_name(state) == name)
            return state;
    }
    throw std::invalid_argument("mailbox must be enabled, none, invalid, policy or quota");
}

json::object message_truth(const World& world, const User& user, const Message& message,
                           bool digests) {
    const ContentOwner owner = world.tenant.owner(user);
    const ContentStore& contents = world.tenant.contents();
    json::object out;
    out["id"] = view(Tenant::message_id(user, message, true));
    out["mutable_id"] = view(Tenant::message_id(user, message, false));
    out["folder"] = view(user.ids.folder(message.folder));
    out["size"] = contents.size(message.content, owner);
    out["draft"] = message.draft;
    out["deleted"] = message.deleted;
    out["received"] = view(iso_time(message.received));
    const std::string path = contents.path(message.content);
    out["source"] = path.empty() ? json::value() : view(path);
    if (digests) {
        out["sha256"] = view(contents.sha256_hex(message.content, owner));
        json::array before;
        for (const Content& content : message.earlier) {
            before.emplace_back(view(contents.sha256_hex(content, owner)));
        }
        out["earlier_sha256"] = std::move(before);
    }
    return out;
}

std::string user_head(const World& world, const User& user) {
    json::object out;
    out["id"] = view(user.id);
    out["upn"] = view(user.upn);
    out["mail"] = view(user.mail);
    out["name"] = view(user.name);
    out["type"] = view(user.type);
    out["enabled"] = user.enabled;
    out["purpose"] = view(user.purpose);
    out["mailbox"] = view(state_name(user.mailbox));
    out["removed"] = user.removed;
    json::array folders;
    for (const Folder& folder : user.folders) {
        json::object each;
        each["id"] = view(user.ids.folder(folder.number));
        each["name"] = view(folder.name);
        each["path"] = view(Tenant::folder_path(user, folder));
        each["parent"] =
            folder.parent == kNone ? json::value() : view(user.ids.folder(folder.parent));
        each["well_known"] = view(folder.well_known);
        each["hidden"] = folder.hidden;
        each["search"] = folder.search;
        each["deleted"] = folder.deleted;
        each["messages"] = folder.items.size();
        folders.push_back(std::move(each));
    }
    out["folders"] = std::move(folders);
    (void)world;
    std::string text = json::serialize(out);
    text.pop_back();
    return text + ",\"messages\":[";
}

// Produced message by message: the event loop goes on while a large tenant is listed.
class TruthSource : public BodySource {
public:
    TruthSource(const World& world, TruthOptions options) : world_(world), options_(options) {
        json::array groups;
        for (const Group& group : world.tenant.groups()) {
            json::array users;
            for (const std::uint32_t number : group.users) {
                users.emplace_back(view(world.tenant.users()[number]->id));
            }
            json::array inner;
            for (const std::uint32_t number : group.groups) {
                inner.emplace_back(view(world.tenant.groups()[number].id));
            }
            json::object each;
            each["id"] = view(group.id);
            each["name"] = view(group.name);
            each["users"] = std::move(users);
            each["groups"] = std::move(inner);
            each["removed"] = group.removed;
            groups.push_back(std::move(each));
        }
        pending_ = "{\"tenant\":\"" + world.options.tenant +
                   "\",\"groups\":" + json::serialize(groups) + ",\"users\":[";
    }

    std::size_t read(char* out, std::size_t room) override {
        while (pending_.size() - at_ < room && !finished_) produce();
        const std::size_t take = std::min(room, pending_.size() - at_);
        std::memcpy(out, pending_.data() + at_, take);
        at_ += take;
        if (at_ == pending_.size()) {
            pending_.clear();
            at_ = 0;
        }
        return take;
    }

private:
    void produce() {
        const auto& users = world_.tenant.users();
        while (!inside_ && user_ < users.size() && options_.user && *options_.user != user_)
            ++user_;
        if (!inside_ && user_ >= users.size()) {
            pending_ += "]}\n";
            finished_ = true;
            return;
        }
        const User& user = *users[user_];
        if (!inside_) {
            pending_ += (first_user_ ? "" : ",") + user_head(world_, user);
            first_user_ = false;
            inside_ = true;
            message_ = 0;
            return;
        }
        if (message_ >= user.messages.size()) {
            pending_ += "]}";
            inside_ = false;
            ++user_;
            return;
        }
        if (message_ > 0)
            pending_ += ",";
        pending_ +=
            json::serialize(message_truth(world_, user, user.messages[message_], options_.digests));
        ++message_;
    }

    const World& world_;
    const TruthOptions options_;
    std::string pending_;
    std::size_t at_ = 0;
    std::uint32_t user_ = 0;
    std::size_t message_ = 0;
    bool inside_ = false;
    bool first_user_ = true;
    bool finished_ = false;
};

User& require_user(World& world, const json::object& body) {
    const std::string name = text_or(body, "user", "");
    User* user = world.tenant.find_user(name);
    if (user == nullptr)
        throw std::invalid_argument("no such user: " + name);
    return *user;
}

Folder& require_folder_by_any(User& user, const std::string& name) {
    Folder* folder = Tenant::find_folder_by_any(user, name);
    if (folder == nullptr)
        throw std::invalid_argument("no such folder: " + name);
    return *folder;
}

Message& require_live_message(User& user, const json::object& body) {
    const std::string id = text_or(body, "message", "");
    Message* message = Tenant::find_message(user, id);
    if (message == nullptr || message->deleted)
        throw std::invalid_argument("no such message: " + id);
    return *message;
}

json::object deliver(World& world, const json::object& body) {
    User& user = require_user(world, body);
    Folder& folder = require_folder_by_any(user, text_or(body, "folder", "inbox"));
    if (folder.search)
        throw std::invalid_argument("a search folder holds no mail of its own");
    const bool draft = flag_or(body, "draft", folder.well_known == "drafts");
    const std::int64_t count = number_or(body, "count", 1);
    const std::string when = text_or(body, "received", "");
    const std::int64_t received = when.empty() ? now_seconds() : parse_iso_time(when).value_or(0);
    json::array messages;
    for (std::int64_t i = 0; i < count; ++i) {
        Content content;
        if (body.contains("mime_base64")) {
            auto bytes = base64_decode(text_or(body, "mime_base64", ""));
            if (!bytes)
                throw std::invalid_argument("mime_base64 is not base64");
            content = world.tenant.contents().add_bytes(std::move(*bytes));
        } else if (body.contains("file")) {
            const std::string path = text_or(body, "file", "");
            if (!std::filesystem::is_regular_file(path)) {
                throw std::invalid_argument("no such file: " + path);
            }
            content = world.tenant.contents().add_file(path);
        } else {
            content.exact_size = static_cast<std::uint64_t>(number_or(body, "size", 0));
            content.sent_by_owner = folder.well_known == "sentitems";
        }
        const Message& message = world.tenant.deliver(user, folder, content, received, draft);
        // A digest of something huge would hold up everybody: only on request.
        messages.push_back(
            message_truth(world, user, message, flag_or(body, "sha256", count <= 1000)));
    }
    return {{"messages", std::move(messages)}};
}

json::object on_message(World& world, std::string_view path, const json::object& body) {
    User& user = require_user(world, body);
    Message& message = require_live_message(user, body);
    if (path == "move") {
        Folder& target = require_folder_by_any(user, text_or(body, "folder", ""));
        if (target.search)
            throw std::invalid_argument("cannot move into a search folder");
        world.tenant.move(user, message, target, world.settings.immutable_loss);
    } else if (path == "delete") {
        if (flag_or(body, "to_trash", false)) {
            world.tenant.move(user, message, require_folder_by_any(user, "deleteditems"),
                              world.settings.immutable_loss);
        } else {
            world.tenant.remove(user, message);
        }
    } else if (path == "damage") {
        message.damage = {flag_or(body, "mime", false), flag_or(body, "body", false),
                          flag_or(body, "fields", false), flag_or(body, "listing", false)};
    } else if (path == "touch") {
        world.tenant.touch(user, message);
    } else {
        if (!message.draft)
            throw std::invalid_argument("the message is not a draft");
        world.tenant.send_draft(user, message);
    }
    return message_truth(world, user, message, false);
}

json::object on_folder(World& world, const json::object& body) {
    User& user = require_user(world, body);
    const std::string op = text_or(body, "op", "");
    const std::string name = text_or(body, "name", "");
    const auto parent = [&] {
        return require_folder_by_any(user, text_or(body, "parent", "msgfolderroot")).number;
    };
    if (op == "create") {
        if (name.empty())
            throw std::invalid_argument("a folder needs a name");
        Folder& folder = world.tenant.add_folder(user, name, parent());
        folder.hidden = flag_or(body, "hidden", false);
        return {{"id", view(user.ids.folder(folder.number))}};
    }
    Folder& folder = require_folder_by_any(user, text_or(body, "folder", ""));
    if (op == "rename") {
        folder.name = name;
        world.tenant.folder_changed(user, folder);
    } else if (op == "move" || (op == "delete" && flag_or(body, "to_trash", false))) {
        const std::uint32_t to =
            op == "move" ? parent() : require_folder_by_any(user, "deleteditems").number;
        for (std::uint32_t at = to; at != kNone; at = user.folders[at].parent) {
            if (at == folder.number)
                throw std::invalid_argument("a folder cannot hold itself");
        }
        folder.parent = to;
        world.tenant.folder_changed(user, folder);
    } else if (op == "delete") {
        world.tenant.delete_folder(user, folder);
    } else {
        throw std::invalid_argument("op must be create, rename, move or delete");
    }
    return {{"id", view(user.ids.folder(folder.number))}};
}

void set_user(World& world, User& user, const json::object& body) {
    if (body.contains("upn"))
        user.upn = text_or(body, "upn", user.upn);
    if (body.contains("mail"))
        user.mail = text_or(body, "mail", "");
    if (body.contains("name"))
        user.name = text_or(body, "name", user.name);
    if (body.contains("department"))
        user.department = text_or(body, "department", "");
    if (body.contains("purpose"))
        user.purpose = text_or(body, "purpose", user.purpose);
    if (body.contains("type"))
        user.type = text_or(body, "type", "");
    user.enabled = flag_or(body, "enabled", user.enabled);
    user.licensed = flag_or(body, "licensed", user.licensed);
    if (body.contains("mailbox")) {
        user.mailbox = state_from(text_or(body, "mailbox", ""));
        if (user.folders.empty() && user.mailbox != MailboxState::None &&
            user.mailbox != MailboxState::Invalid) {
            world.tenant.build_folders(user);
        }
    }
    world.tenant.user_changed(user);
}

json::object on_user(World& world, const json::object& body) {
    const std::string op = text_or(body, "op", "");
    if (op == "add") {
        const std::string name = text_or(body, "name", person_name(world.tenant.users().size()));
        std::string upn = text_or(body, "upn", "");
        if (upn.empty()) {
            upn = lower(name) + std::to_string(world.tenant.users().size()) + "@contoso.example";
            std::replace(upn.begin(), upn.end(), ' ', '.');
        }
        User* existing = world.tenant.find_user(upn);
        if (existing != nullptr && !existing->removed) {
            throw std::invalid_argument("the principal name is taken: " + upn);
        }
        const MailboxState state = state_from(text_or(body, "mailbox", "enabled"));
        User& user = world.tenant.add_user(name, upn, state);
        if (!user.folders.empty()) {
            world.tenant.fill_mailbox(user, static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                0, number_or(body, "messages", 0))));
        }
        json::object rest = body;
        for (const char* name_done : {"upn", "name", "mailbox"}) rest.erase(name_done);
        set_user(world, user, rest);
        return {{"id", view(user.id)}, {"upn", view(user.upn)}};
    }
    User& user = require_user(world, body);
    if (op == "remove")
        world.tenant.remove_user(user, flag_or(body, "for_good", false));
    else if (op == "restore")
        world.tenant.restore_user(user);
    else if (op == "rename" || op == "set") {
        set_user(world, user, body);
        if (op == "rename" && body.contains("upn") && !body.contains("mail")) {
            user.mail = user.upn;
        }
    } else {
        throw std::invalid_argument("op must be add, remove, restore, rename or set");
    }
    return {{"id", view(user.id)}, {"upn", view(user.upn)}};
}

json::object on_group(World& world, const json::object& body) {
    const std::string op = text_or(body, "op", "");
    auto& groups = world.tenant.groups();
    const std::string id = text_or(body, "group", "");
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& group) { return iequals(group.id, id); });
    if (op == "create") {
        Random random(mix(world.options.seed, 5000 + groups.size()));
        groups.push_back({guid_from(random), text_or(body, "name", "Group"), {}, {}, false});
        found = groups.end() - 1;
    } else if (found == groups.end()) {
        throw std::invalid_argument("no such group: " + id);
    } else if (op == "delete") {
        found->removed = true;
    } else if (op != "set") {
        throw std::invalid_argument("op must be create, set or delete");
    }
    if (const json::value* users = body.if_contains("users"); users && users->is_array()) {
        found->users.clear();
        for (const json::value& each : users->as_array()) {
            const std::string name = each.is_string() ? str(each.as_string()) : "";
            const User* user = world.tenant.find_user(name);
            if (user == nullptr)
                throw std::invalid_argument("no such user: " + name);
            found->users.push_back(user->number);
        }
    }
    return {{"id", view(found->id)}};
}

json::object expire_delta(World& world, const json::object& body) {
    if (!body.contains("user")) {
        for (const auto& user : world.tenant.users()) world.tenant.expire_delta(*user, nullptr);
        world.tenant.expire_users_delta();
        return {{"ok", true}};
    }
    User& user = require_user(world, body);
    const std::string folder = text_or(body, "folder", "");
    world.tenant.expire_delta(user,
                              folder.empty() ? nullptr : &require_folder_by_any(user, folder));
    return {{"ok", true}};
}

}  // namespace

Reply control_tenant(World& world, const Query& query) {
    TruthOptions options;
    options.digests = query.get("sha256") == "1" || query.get("sha256") == "true";
    if (const std::string* name = query.find("user")) {
        const User* user = world.tenant.find_user(*name);
        if (user == nullptr)
            throw std::invalid_argument("no such user: " + *name);
        options.user = user->number;
    }
    Reply reply;
    reply.stream = std::make_unique<TruthSource>(world, options);
    reply.headers.set("Content-Type", "application/json");
    return reply;
}

Reply control_mutation(World& world, std::string_view path, const json::object& body) {
    json::object out;
    if (path == "deliver")
        out = deliver(world, body);
    else if (path == "move" || path == "delete" || path == "touch" || path == "send-draft" ||
             path == "damage") {
        out = on_message(world, path, body);
    } else if (path == "folders")
        out = on_folder(world, body);
    else if (path == "users")
        out = on_user(world, body);
    else if (path == "groups")
        out = on_group(world, body);
    else if (path == "expire-delta")
        out = expire_delta(world, body);
    else
        throw std::invalid_argument("no such control call");
    Reply reply;
    reply.body = json::serialize(out);
    reply.headers.set("Content-Type", "application/json");
    return reply;
}

}  // namespace graph_simulator
