// /users, /users/{id} and /users/delta, and the dispatch of all other routes.
#include <algorithm>

#include "filter.hpp"
#include "resources.hpp"
#include "routes.hpp"
#include "subscriptions.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

constexpr std::int64_t kDefaultPage = 100;
constexpr std::int64_t kLargestPage = 999;
constexpr std::string_view kEntityTail = "/$entity";

void require_directory_read(const Call& call) {
    if (!call.has_role({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All",
                        "Directory.ReadWrite.All"})) {
        throw GraphError{403,
                         "Authorization_RequestDenied",
                         "Insufficient privileges to complete the operation.",
                         {}};
    }
}

bool is_advanced(const Call& call) {
    const std::string* level = call.request.headers.find("ConsistencyLevel");
    return level != nullptr && iequals(*level, "eventual") && call.query.is_true("$count");
}

void check_query_rules(const Call& call, const std::optional<Filter>& filter) {
    if (is_advanced(call))
        return;
    const auto refuse = [](const std::string& what) {
        throw GraphError{400,
                         "Request_UnsupportedQuery",
                         what +
                             " is not supported because the required parameters might be "
                             "missing. Try adding $count=true query parameter and "
                             "ConsistencyLevel:eventual header.",
                         {}};
    };
    if (filter) {
        for (const std::string_view name : {"ne", "not", "endswith"}) {
            if (filter->uses(name))
                refuse("Operator '" + std::string(name) + "'");
        }
        if (call.query.find("$orderby") != nullptr)
            refuse("Sorting together with a filter");
    }
}

json::value lookup(const User& user, std::string_view name) {
    Select one = Select::parse(name, user_properties(), kUserType);
    json::object object = user_json(user, one);
    return object.begin()->value();
}

std::int64_t offset_from_token(const Query& query) {
    const std::string* token = query.find("$skiptoken");
    if (token == nullptr)
        return 0;
    const auto text = base64url_decode(*token);
    if (!text || !text->starts_with("RSPt:"))
        throw bad_request("The $skiptoken is not valid.");
    return std::strtoll(text->c_str() + 5, nullptr, 10);
}

void sort_users(std::vector<const User*>& found, std::string_view order_text) {
    const std::vector<OrderBy> order = parse_order(order_text);
    for (const OrderBy& by : order) {
        if (by.property != "displayName" && by.property != "userPrincipalName") {
            throw GraphError{400,
                             "Request_UnsupportedQuery",
                             "Sorting is not supported on property '" + by.property + "'.",
                             {}};
        }
    }
    std::stable_sort(found.begin(), found.end(), [&](const User* a, const User* b) {
        for (const OrderBy& by : order) {
            const std::string left = lower(by.property == "displayName" ? a->name : a->upn);
            const std::string right = lower(by.property == "displayName" ? b->name : b->upn);
            if (left != right)
                return (left < right) != by.descending;
        }
        return false;
    });
}

Reply user_route(World&, const Call& call) {
    require_directory_read(call);
    call.query.allow({"$select"});
    if (call.user == nullptr || call.user->removed) {
        throw GraphError{404,
                         "Request_ResourceNotFound",
                         "Resource '" + call.route.user +
                             "' does not exist or one of its queried "
                             "reference-property objects are not present.",
                         {}};
    }
    Select select;
    if (const std::string* list = call.query.find("$select")) {
        select = Select::parse(*list, user_properties(), kUserType);
    }
    json::object body;
    body["@odata.context"] =
        view(call.metadata() + "users" + select.context() + std::string(kEntityTail));
    for (auto& [key, value] : user_json(*call.user, select)) body[key] = std::move(value);
    return json_reply(body);
}

[[noreturn]] void unknown_segment(const Call& call) {
    if (call.route.bad_escape) {
        throw GraphError{400, "BadRequest", "The request path has a malformed escape.", {}};
    }
    throw GraphError{400,
                     "BadRequest",
                     "Resource not found for the segment '" + call.route.last_segment + "'.",
                     {}};
}

void check_method(const Call& call) {
    const std::string& method = call.request.method;
    const RouteKind kind = call.route.kind;
    if (kind == RouteKind::Subscription && (method == "PATCH" || method == "DELETE"))
        return;
    const bool post = kind == RouteKind::Translate || kind == RouteKind::Batch;
    if (method == (post ? "POST" : "GET"))
        return;
    const bool writable = kind == RouteKind::Folders || kind == RouteKind::Folder ||
                          kind == RouteKind::ChildFolders || kind == RouteKind::Messages ||
                          kind == RouteKind::Message;
    if (writable && (method == "POST" || method == "PATCH" || method == "DELETE")) {
        if (!call.has_role({"Mail.ReadWrite"})) {
            throw GraphError{
                403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.", {}};
        }
        throw GraphError{501, "NotImplemented", "The simulator does not write through Graph.", {}};
    }
    throw GraphError{405,
                     "Request_BadRequest",
                     "Specified HTTP method is not allowed for the request target.",
                     {{"Allow", post ? "POST" : "GET"}}};
}

// What every mailbox path needs before its own rules.
void check_mailbox(const World& world, const Call& call) {
    const bool settings =
        call.route.kind == RouteKind::MailboxSettings || call.route.kind == RouteKind::UserPurpose;
    const GraphError denied{
        403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.", {}};
    if (settings) {
        if (!call.has_role({"MailboxSettings.Read", "MailboxSettings.ReadWrite"}))
            throw denied;
    } else if (call.route.kind == RouteKind::Translate) {
        if (!call.has_role({"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}))
            throw denied;
    } else if (!world.settings.exchange_grants &&
               !call.has_role({"Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic.All"})) {
        throw denied;
    }
    const User* user = call.user;
    if (user == nullptr) {
        throw GraphError{404,
                         "ErrorInvalidUser",
                         "The requested user '" + call.route.user + "' is invalid.",
                         {}};
    }
    if (user->removed) {
        throw GraphError{404,
                         "Request_ResourceNotFound",
                         "Resource '" + call.route.user +
                             "' does not exist or one of its queried "
                             "reference-property objects are not present.",
                         {}};
    }
    switch (user->mailbox) {
        case MailboxState::Enabled:
        case MailboxState::Quota:
            return;
        case MailboxState::None:
            throw GraphError{404,
                             "MailboxNotEnabledForRESTAPI",
                             "The mailbox is either inactive, soft-deleted, or is hosted "
                             "on-premise.",
                             {}};
        case MailboxState::Invalid:
            throw GraphError{404,
                             "ErrorInvalidUser",
                             "The requested user '" + call.route.user + "' is invalid.",
                             {}};
        case MailboxState::Policy:
            throw GraphError{403,
                             "ErrorAccessDenied",
                             "Access to OData is disabled: [RAOP] : Blocked by tenant configured "
                             "AppOnly AccessPolicy settings.",
                             {}};
    }
}

Reply settings_route(const Call& call) {
    call.query.allow({"$select"});
    json::object body;
    body["@odata.context"] =
        view(call.metadata() + "users('" + call.user->id + "')/mailboxSettings" +
             (call.route.kind == RouteKind::UserPurpose ? "/userPurpose" : ""));
    if (call.route.kind == RouteKind::UserPurpose) {
        body["value"] = view(call.user->purpose);
    } else {
        body["archiveFolder"] = view(call.user->ids.folder(7));
        body["timeZone"] = "UTC";
        body["userPurpose"] = view(call.user->purpose);
    }
    return json_reply(body);
}

}  // namespace

Reply json_reply(const json::object& body, int status) {
    Reply reply;
    reply.status = status;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type",
                      "application/json;odata.metadata=minimal;odata.streaming=true;"
                      "IEEE754Compatible=false;charset=utf-8");
    reply.headers.set("OData-Version", "4.0");
    reply.headers.set("Cache-Control", "private");
    return reply;
}

Reply answer(World& world, const Call& call) {
    if (call.route.kind == RouteKind::Unknown)
        unknown_segment(call);
    check_method(call);
    if (call.route.in_mailbox())
        check_mailbox(world, call);
    switch (call.route.kind) {
        case RouteKind::Users:
            return users_route(world, call);
        case RouteKind::UsersDelta:
            return users_delta_route(world, call);
        case RouteKind::User:
            return user_route(world, call);
        case RouteKind::Group:
        case RouteKind::Members:
        case RouteKind::TransitiveMembers:
            return groups_route(world, call);
        case RouteKind::Folders:
        case RouteKind::Folder:
        case RouteKind::ChildFolders:
            return folders_route(world, call);
        case RouteKind::FoldersDelta:
            return folders_delta_route(world, call);
        case RouteKind::Messages:
            return messages_route(world, call);
        case RouteKind::MessagesDelta:
            return messages_delta_route(world, call);
        case RouteKind::MailboxDelta:
            throw bad_request(
                "Change tracking is not supported against 'microsoft.graph.message'.");
        case RouteKind::Message:
            return message_route(world, call);
        case RouteKind::Value:
            return value_route(world, call);
        case RouteKind::FolderValue:
            throw GraphError{405, "ErrorInvalidRequest", "The OData request is not supported.", {}};
        case RouteKind::Attachments:
        case RouteKind::Attachment:
        case RouteKind::AttachmentValue:
            return attachments_route(world, call);
        case RouteKind::MailboxSettings:
        case RouteKind::UserPurpose:
            return settings_route(call);
        case RouteKind::Translate:
            return translate_route(world, call);
        case RouteKind::Subscriptions:
        case RouteKind::Subscription:
            return world.subscriptions->route(call);
        case RouteKind::Batch:
            throw bad_request("A batch cannot contain another batch.");
        case RouteKind::Unknown:
            break;
    }
    unknown_segment(call);
}

Reply users_route(World& world, const Call& call) {
    require_directory_read(call);
    call.query.allow({"$select", "$top", "$filter", "$orderby", "$count", "$skiptoken"});
    const std::int64_t top = call.query.number("$top", 1).value_or(kDefaultPage);
    if (top > kLargestPage) {
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
    std::optional<Filter> filter;
    if (const std::string* text = call.query.find("$filter")) {
        filter = Filter::parse(*text, user_properties(), kUserType);
    }
    check_query_rules(call, filter);
    std::vector<const User*> found;
    for (const auto& user : world.tenant.users()) {
        if (user->removed)
            continue;
        const User& each = *user;
        if (filter && !filter->matches([&](std::string_view name) { return lookup(each, name); })) {
            continue;
        }
        found.push_back(&each);
    }
    if (const std::string* order = call.query.find("$orderby"))
        sort_users(found, *order);

    const std::int64_t from = offset_from_token(call.query);
    const auto total = static_cast<std::int64_t>(found.size());
    const std::int64_t to = std::min(from + top, total);
    json::object body;
    body["@odata.context"] = view(call.metadata() + "users" + select.context());
    if (from == 0 && is_advanced(call))
        body["@odata.count"] = total;
    if (to < total) {
        std::string link = call.root() + "/users?";
        for (const std::string_view name : {"$select", "$filter", "$orderby", "$count", "$top"}) {
            if (const std::string* value = call.query.find(name)) {
                link += std::string(name) + "=" + percent_encode(*value) + "&";
            }
        }
        body["@odata.nextLink"] =
            view(link + "$skiptoken=" + base64url_encode("RSPt:" + std::to_string(to)));
    }
    json::array list;
    for (std::int64_t i = from; i < to; ++i) {
        list.push_back(user_json(*found[static_cast<std::size_t>(i)], select));
    }
    body["value"] = std::move(list);
    Reply reply = json_reply(body);
    reply.headers.set("x-ms-resource-unit", select.everything() ? "2" : "1");
    return reply;
}

Reply users_delta_route(World& world, const Call& call) {
    require_directory_read(call);
    auto token = token_from_link(world, call, DeltaToken::Users);
    json::object body;
    const auto& log = world.tenant.user_log();
    if (!token) {
        call.query.allow({"$select", "$deltatoken"});
        token = DeltaToken{};
        token->kind = DeltaToken::Users;
        token->generation = world.tenant.users_generation();
        token->round_start = static_cast<std::uint32_t>(log.size());
        token->select = remember_select(world, call.query.get("$select"));
        if (call.query.get("$deltatoken") == "latest") {
            token->position = static_cast<std::uint32_t>(log.size());
        }
    }
    const std::string& list = world.selects[token->select];
    const Select select =
        list.empty() ? Select() : Select::parse(list, user_properties(), kUserType);
    body["@odata.context"] = view(call.metadata() + "users" + select.context());
    json::array items;
    const auto limit = static_cast<std::size_t>(world.settings.users_delta_page);
    std::size_t position = token->position;
    while (position < log.size() && items.size() < limit) {
        const User& user = *world.tenant.users()[log[position]];
        if (user.last_change == position) {
            if (!user.removed) {
                // What a later round tells of a user is up to the service.
                const bool partial = world.settings.users_delta_partial && token->initial == 0;
                json::object item;
                if (!partial) {
                    item = user_json(user, select);
                } else if (select.everything() || select.has("mail")) {
                    item["mail"] = user.mail.empty() ? json::value() : json::value(view(user.mail));
                }
                item["id"] = view(user.id);
                items.push_back(std::move(item));
            } else if (token->initial == 0 || position >= token->round_start) {
                items.push_back(json::object{
                    {"id", view(user.id)},
                    {"@removed",
                     json::object{{"reason", user.removed_for_good ? "deleted" : "changed"}}}});
            }
        }
        ++position;
    }
    token->position = static_cast<std::uint32_t>(position);
    const bool last = position >= log.size();
    token->link = last ? 2 : 1;
    if (last)
        token->initial = 0;
    body[last ? "@odata.deltaLink" : "@odata.nextLink"] =
        view(call.root() + "/users/delta?" + (last ? "$deltatoken=" : "$skiptoken=") +
             world.delta_tokens.write(*token));
    body["value"] = std::move(items);
    return json_reply(body);
}

}  // namespace graph_simulator
