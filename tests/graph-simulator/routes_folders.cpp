// mailFolders, childFolders and single folders.
#include <algorithm>

#include "filter.hpp"
#include "resources.hpp"
#include "routes.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

constexpr std::int64_t kDefaultPage = 10;
constexpr std::int64_t kLargestPage = 1000;

// The same request with another $skip, as Graph writes it.
std::string skip_link(const Call& call, std::int64_t skip) {
    std::string link = call.root() + call.path + "?";
    for (const std::string_view name : {"includeHiddenFolders", "$select", "$filter", "$top"}) {
        if (const std::string* value = call.query.find(name)) {
            link += std::string(name) + "=" + percent_encode(*value) + "&";
        }
    }
    return link + "$skip=" + std::to_string(skip);
}

Select folder_select(const Call& call) {
    const std::string* list = call.query.find("$select");
    return list == nullptr ? Select() : Select::parse(*list, folder_properties(), kFolderType);
}

Reply one_folder(const Call& call) {
    call.query.allow({"$select", "includeHiddenFolders"});
    const Select select = folder_select(call);
    json::object body;
    body["@odata.context"] = view(call.metadata() + "users('" + call.user->id + "')/mailFolders" +
                                  select.context() + "/$entity");
    for (auto& [key, value] : folder_json(*call.user, require_folder(call), select)) {
        body[key] = std::move(value);
    }
    return json_reply(body);
}

}  // namespace

Folder& require_folder(const Call& call) {
    const std::string& id = call.route.folder;
    if (Folder* folder = Tenant::find_folder(*call.user, id))
        return *folder;
    // Letters only can be a well-known name this mailbox lacks; anything else is an id.
    const bool name = std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
    if (!name && !call.user->ids.parse_folder(id)) {
        throw GraphError{400, "ErrorInvalidIdMalformed", "Id is malformed.", {}};
    }
    throw GraphError{404,
                     "ErrorItemNotFound",
                     "The specified object was not found in the store., The process failed to get "
                     "the correct properties.",
                     {}};
}

Reply folders_route(World& world, const Call& call) {
    if (call.route.kind == RouteKind::Folder)
        return one_folder(call);
    call.query.allow({"$select", "$top", "$skip", "$count", "$filter", "includeHiddenFolders"});
    const bool hidden = call.query.is_true("includeHiddenFolders");
    const Select select = folder_select(call);
    const std::uint32_t parent =
        call.route.kind == RouteKind::Folders ? 0 : require_folder(call).number;
    const std::int64_t top =
        call.query.number("$top", 1).value_or(page_size(world, call, kDefaultPage));
    if (top > kLargestPage) {
        throw bad_request(
            "The limit of '1000' for Top query has been exceeded. The value from the "
            "incoming request is '" +
            std::to_string(top) + "'.");
    }
    const std::int64_t skip = call.query.number("$skip", 0).value_or(0);
    std::optional<Filter> filter;
    if (const std::string* text = call.query.find("$filter")) {
        filter = Filter::parse(*text, folder_properties(), kFolderType);
    }
    std::vector<const Folder*> found;
    for (const Folder& folder : call.user->folders) {
        if (folder.deleted || folder.parent != parent || (folder.hidden && !hidden))
            continue;
        if (filter) {
            const json::object all = folder_json(*call.user, folder, Select());
            const auto lookup = [&](std::string_view name) {
                const json::value* value = all.if_contains(view(name));
                return value == nullptr ? json::value() : *value;
            };
            if (!filter->matches(lookup))
                continue;
        }
        found.push_back(&folder);
    }
    json::object body;
    std::string context = call.metadata() + "users('" + call.user->id + "')/mailFolders";
    if (call.route.kind == RouteKind::ChildFolders) {
        context += "('" + percent_encode(call.user->ids.folder(parent)) + "')/childFolders";
    }
    body["@odata.context"] = view(context + select.context());
    const auto total = static_cast<std::int64_t>(found.size());
    if (call.query.is_true("$count"))
        body["@odata.count"] = total;
    json::array list;
    for (std::int64_t i = skip; i < std::min(skip + top, total); ++i) {
        list.push_back(folder_json(*call.user, *found[static_cast<std::size_t>(i)], select));
    }
    body["value"] = std::move(list);
    if (skip + top < total)
        body["@odata.nextLink"] = view(skip_link(call, skip + top));
    return json_reply(body);
}

Reply folders_delta_route(World& world, const Call& call) {
    auto token = token_from_link(world, call, DeltaToken::Folders);
    const User& user = *call.user;
    if (!token) {
        call.query.allow({"$select", "$top", "includeHiddenFolders"});
        token = DeltaToken{};
        token->kind = DeltaToken::Folders;
        token->user = user.number;
        token->generation = user.folders_generation;
        token->round_start = static_cast<std::uint32_t>(user.folder_log.size());
        token->select = remember_select(world, call.query.get("$select"));
        (void)folder_select(call);
    }
    const std::string& list = world.selects[token->select];
    const Select select =
        list.empty() ? Select() : Select::parse(list, folder_properties(), kFolderType);
    const auto limit = static_cast<std::size_t>(page_size(world, call, kDefaultPage));
    json::array items;
    std::size_t position = token->position;
    while (position < user.folder_log.size() && items.size() < limit) {
        const Folder& folder = user.folders[user.folder_log[position]];
        // The root and what lies outside it are not part of the tree that is tracked.
        const bool tracked = folder.parent != kNone;
        if (tracked && folder.last_change == position) {
            if (folder.deleted) {
                if (token->initial == 0 || position >= token->round_start) {
                    items.push_back(
                        json::object{{"@odata.type", "#microsoft.graph.mailFolder"},
                                     {"id", view(user.ids.folder(folder.number))},
                                     {"@removed", json::object{{"reason", "deleted"}}}});
                }
            } else {
                json::object item;
                item["@odata.type"] = "#microsoft.graph.mailFolder";
                for (auto& [key, value] : folder_json(user, folder, select))
                    item[key] = std::move(value);
                items.push_back(std::move(item));
            }
        }
        ++position;
    }
    token->position = static_cast<std::uint32_t>(position);
    const bool last = position >= user.folder_log.size();
    token->link = last ? 2 : 1;
    if (last)
        token->initial = 0;
    json::object body;
    body["@odata.context"] = view(call.metadata() + "Collection(mailFolder)");
    body[last ? "@odata.deltaLink" : "@odata.nextLink"] =
        view(call.root() + "/users('" + user.id + "')/mailFolders/delta?" +
             (last ? "$deltatoken=" : "$skiptoken=") + world.delta_tokens.write(*token));
    body["value"] = std::move(items);
    Reply reply = json_reply(body);
    if (!call.preferences.applied.empty() && world.settings.preference_applied) {
        reply.headers.set("Preference-Applied", call.preferences.applied);
    }
    return reply;
}

}  // namespace graph_simulator
