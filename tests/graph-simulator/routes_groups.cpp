// Groups and their members.
#include <algorithm>
#include <set>

#include "resources.hpp"
#include "routes.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

const Group& require_group(const World& world, const std::string& id) {
    for (const Group& group : world.tenant.groups()) {
        if (!group.removed && iequals(group.id, id))
            return group;
    }
    throw GraphError{404,
                     "Request_ResourceNotFound",
                     "Resource '" + id +
                         "' does not exist or one of its queried reference-property "
                         "objects are not present.",
                     {}};
}

void collect(const World& world, const Group& group, bool transitive,
             std::set<std::uint32_t>& users, std::set<std::uint32_t>& groups) {
    users.insert(group.users.begin(), group.users.end());
    for (const std::uint32_t inner : group.groups) {
        if (!groups.insert(inner).second || !transitive)
            continue;
        collect(world, world.tenant.groups()[inner], true, users, groups);
    }
}

void require_advanced(const Call& call) {
    const std::string* level = call.request.headers.find("ConsistencyLevel");
    if (level == nullptr || !iequals(*level, "eventual") || !call.query.is_true("$count")) {
        throw GraphError{400,
                         "Request_UnsupportedQuery",
                         "The cast to microsoft.graph.user is not supported because the required "
                         "parameters might be missing. Try adding $count=true query parameter and "
                         "ConsistencyLevel:eventual header.",
                         {}};
    }
}

std::int64_t offset_of(const Call& call) {
    const std::string* token = call.query.find("$skiptoken");
    if (token == nullptr)
        return 0;
    const auto text = base64url_decode(*token);
    if (!text || !text->starts_with("Grp:"))
        throw bad_request("The $skiptoken is not valid.");
    return std::strtoll(text->c_str() + 4, nullptr, 10);
}

}  // namespace

Reply groups_route(World& world, const Call& call) {
    if (!call.has_role({"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"})) {
        throw GraphError{403,
                         "Authorization_RequestDenied",
                         "Insufficient privileges to complete the operation.",
                         {}};
    }
    const Group& group = require_group(world, call.route.group);
    json::object body;
    if (call.route.kind == RouteKind::Group) {
        call.query.allow({"$select"});
        body["@odata.context"] = view(call.metadata() + "groups/$entity");
        body["id"] = view(group.id);
        body["displayName"] = view(group.name);
        return json_reply(body);
    }
    call.query.allow({"$select", "$top", "$count", "$skiptoken"});
    if (call.route.user_cast)
        require_advanced(call);
    const std::int64_t top = call.query.number("$top", 1).value_or(100);
    if (top > 999) {
        throw GraphError{400,
                         "Request_UnsupportedQuery",
                         "Invalid page size specified: '" + std::to_string(top) +
                             "'. Must be between 1 and 999 inclusive.",
                         {}};
    }
    Select select;
    if (const std::string* list = call.query.find("$select")) {
        select = Select::parse(*list, user_properties(), kUserType);
    }
    std::set<std::uint32_t> users;
    std::set<std::uint32_t> groups;
    collect(world, group, call.route.kind == RouteKind::TransitiveMembers, users, groups);
    std::vector<json::object> found;
    for (const std::uint32_t number : users) {
        const User& user = *world.tenant.users()[number];
        if (user.removed)
            continue;
        json::object item;
        if (!call.route.user_cast)
            item["@odata.type"] = "#microsoft.graph.user";
        for (auto& [key, value] : user_json(user, select)) item[key] = std::move(value);
        found.push_back(std::move(item));
    }
    for (const std::uint32_t number : groups) {
        const Group& inner = world.tenant.groups()[number];
        if (call.route.user_cast || inner.removed)
            continue;
        // The application may not read groups: type and id is all there is.
        found.push_back({{"@odata.type", "#microsoft.graph.group"}, {"id", view(inner.id)}});
    }
    const auto total = static_cast<std::int64_t>(found.size());
    const std::int64_t from = offset_of(call);
    const std::int64_t to = std::min(from + top, total);
    body["@odata.context"] = view(
        call.metadata() + (call.route.user_cast ? "users" : "directoryObjects") + select.context());
    if (call.query.is_true("$count") && from == 0)
        body["@odata.count"] = total;
    if (to < total) {
        std::string link = call.root() + call.path + "?";
        for (const std::string_view name : {"$select", "$count", "$top"}) {
            if (const std::string* value = call.query.find(name)) {
                link += std::string(name) + "=" + percent_encode(*value) + "&";
            }
        }
        body["@odata.nextLink"] =
            view(link + "$skiptoken=" + base64url_encode("Grp:" + std::to_string(to)));
    }
    json::array list;
    for (std::int64_t i = from; i < to; ++i) {
        list.push_back(std::move(found[static_cast<std::size_t>(i)]));
    }
    body["value"] = std::move(list);
    return json_reply(body);
}

}  // namespace graph_simulator
