// Message lists, single messages, their MIME content, attachments and id translation.
#include <algorithm>
#include <array>

#include "filter.hpp"
#include "mime.hpp"
#include "resources.hpp"
#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::int64_t kDefaultPage = 10;
constexpr std::int64_t kLargestPage = 1000;
constexpr std::size_t kMostTranslations = 1000;
constexpr std::uint64_t kLargestParsed = 64ULL << 20U;
constexpr std::string_view kSizeProperty =
    "singleValueExtendedProperties($filter=id eq 'Integer 0x0E08')";
constexpr std::string_view kAttachmentMark = "BEgAQA";

GraphError not_found() {
    return {404,
            "ErrorItemNotFound",
            "The specified object was not found in the store., The process failed to get the "
            "correct properties.",
            {}};
}

Select message_select(const Call& call) {
    const std::string* list = call.query.find("$select");
    return list == nullptr ? Select() : Select::parse(*list, message_properties(), kMessageType);
}

bool wants_size(const Call& call) {
    const std::string* expand = call.query.find("$expand");
    if (expand == nullptr)
        return false;
    if (*expand != kSizeProperty)
        throw bad_request("The $expand clause is not supported here.");
    return true;
}

void add_size(json::object& item, const World& world, const User& user, const Message& message) {
    const std::uint64_t size =
        world.tenant.contents().size(message.content, world.tenant.owner(user));
    item["singleValueExtendedProperties"] =
        json::array{json::object{{"id", "Integer 0xe08"}, {"value", view(std::to_string(size))}}};
}

// Ascending by receivedDateTime.
std::vector<std::uint32_t> candidates(const Call& call) {
    const User& user = *call.user;
    if (!call.route.folder.empty()) {
        const Folder& folder = require_folder(call);
        if (!folder.search)
            return Tenant::by_received(user, folder);
        std::vector<std::uint32_t> shown;
        for (const std::uint32_t number : Tenant::by_received(user, user.folders[folder.parent])) {
            if (Tenant::in_search_folder(user.messages[number]))
                shown.push_back(number);
        }
        return shown;
    }
    std::vector<std::uint32_t> all;
    for (const Message& message : user.messages) {
        if (!message.deleted && !user.folders[message.folder].outside_root)
            all.push_back(message.number);
    }
    std::stable_sort(all.begin(), all.end(), [&](std::uint32_t a, std::uint32_t b) {
        return user.messages[a].received < user.messages[b].received;
    });
    return all;
}

// Exchange insists that what is sorted by is filtered by, first and in the same order.
void check_order(const std::vector<OrderBy>& order, const std::optional<Filter>& filter) {
    for (const OrderBy& by : order) {
        const auto known = message_properties();
        if (std::find(known.begin(), known.end(), by.property) == known.end()) {
            throw bad_request("Could not find a property named '" + by.property +
                              "' on type 'microsoft.graph.message'.");
        }
    }
    if (!filter)
        return;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i >= filter->properties().size() || filter->properties()[i] != order[i].property) {
            throw GraphError{400,
                             "InefficientFilter",
                             "The restriction or sort order is too complex for this operation.",
                             {}};
        }
    }
}

void set_applied(Reply& reply, const World& world, const Call& call) {
    if (!call.preferences.applied.empty() && world.settings.preference_applied) {
        reply.headers.set("Preference-Applied", call.preferences.applied);
    }
}

std::string read_all(const World& world, const User& user, const Message& message) {
    const ContentOwner owner = world.tenant.owner(user);
    if (world.tenant.contents().size(message.content, owner) > kLargestParsed) {
        throw GraphError{500, "ErrorInternalServerError", "The message is too large.", {}};
    }
    const auto source = world.tenant.contents().open(message.content, owner);
    if (source == nullptr)
        throw not_found();
    return drain(*source);
}

constexpr std::string_view kFileAttachment = "microsoft.graph.fileAttachment/";
constexpr std::array<std::string_view, 8> kAttachmentProperties = {
    "id",
    "name",
    "contentType",
    "size",
    "isInline",
    "lastModifiedDateTime",
    "microsoft.graph.fileAttachment/contentId",
    "microsoft.graph.fileAttachment/contentBytes"};

json::object attachment_json(const Call& call, const Message& message, const MimePart& part,
                             std::size_t index, const Select& select) {
    const std::string bytes = part.decoded();
    const bool item = part.type == "message/rfc822";
    json::object out;
    out["@odata.type"] =
        item ? "#microsoft.graph.itemAttachment" : "#microsoft.graph.fileAttachment";
    out["id"] = view(Tenant::message_id(*call.user, message, call.preferences.immutable_ids) +
                     std::string(kAttachmentMark) + std::to_string(index));
    out["lastModifiedDateTime"] = view(iso_time(message.modified));
    out["name"] = view(valid_utf8(part.name.empty() ? "attachment" : part.name));
    out["contentType"] = view(part.type);
    out["size"] = bytes.size();
    out["isInline"] = part.disposition == "inline";
    if (!item) {
        out["contentId"] = part.content_id.empty() ? json::value() : view(part.content_id);
        out["contentBytes"] = view(base64_encode(bytes));
    }
    if (!select.everything()) {
        json::object chosen;
        for (const auto& [key, value] : out) {
            const std::string name = str(key);
            if (name == "@odata.type" || name == "id" || select.has(name) ||
                select.has(std::string(kFileAttachment) + name)) {
                chosen[key] = value;
            }
        }
        return chosen;
    }
    return out;
}

// Only what has to be converted from the message's body fails.
void check_convertible(const Message& message, const Select& select) {
    const bool converted = select.everything() || select.has("body") || select.has("bodyPreview") ||
                           select.has("internetMessageHeaders");
    if (message.damage.body && converted) {
        throw GraphError{500, "ErrorContentConversionFailed", "Content conversion failed.", {}};
    }
}

}  // namespace

void check_listable(const Message& message, const Select& select) {
    const bool more = select.everything() || select.names().size() > 1;
    if (message.damage.listing || (message.damage.fields && more)) {
        throw GraphError{500, "InternalServerError", "Error while processing response.", {}};
    }
}

std::string mailbox_context(const Call& call, std::string_view rest) {
    return call.metadata() + "users('" + call.user->id + "')/" + std::string(rest);
}

Message& require_message(World& world, const Call& call) {
    (void)world;
    User& user = *call.user;
    if (!user.ids.parse_message(call.route.message)) {
        throw GraphError{400, "ErrorInvalidIdMalformed", "Id is malformed.", {}};
    }
    Message* message = Tenant::find_message(user, call.route.message);
    if (message == nullptr || message->deleted)
        throw not_found();
    if (!call.route.folder.empty() && require_folder(call).number != message->folder) {
        throw not_found();
    }
    return *message;
}

Reply messages_route(World& world, const Call& call) {
    call.query.allow({"$select", "$top", "$skip", "$filter", "$orderby", "$count", "$expand"});
    const Select select = message_select(call);
    const bool size = wants_size(call);
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
        filter = Filter::parse(*text, message_properties(), kMessageType);
    }
    bool ascending = false;
    if (const std::string* text = call.query.find("$orderby")) {
        const std::vector<OrderBy> order = parse_order(*text);
        check_order(order, filter);
        if (order[0].property != "receivedDateTime") {
            throw GraphError{400,
                             "ErrorRestrictionTooComplex",
                             "The simulator sorts by receivedDateTime only.",
                             {}};
        }
        ascending = !order[0].descending;
    }
    std::vector<std::uint32_t> list = candidates(call);
    if (!ascending)
        std::reverse(list.begin(), list.end());
    const User& user = *call.user;
    const MessageView how{call.preferences.immutable_ids, false};
    if (filter) {
        std::erase_if(list, [&](std::uint32_t number) {
            const Message& message = user.messages[number];
            return !filter->matches([&](std::string_view name) {
                const Select one = Select::parse(name, message_properties(), kMessageType);
                const json::object all = message_json(world.tenant, user, message, one, how);
                return all.at(view(name));
            });
        });
    }
    json::object body;
    body["@odata.context"] =
        view(mailbox_context(
                 call, call.route.folder.empty()
                           ? std::string("messages")
                           : "mailFolders('" + percent_encode(call.route.folder) + "')/messages") +
             select.context());
    const auto total = static_cast<std::int64_t>(list.size());
    if (call.query.is_true("$count"))
        body["@odata.count"] = total;
    json::array items;
    for (std::int64_t i = skip; i < std::min(skip + top, total); ++i) {
        const Message& message = user.messages[list[static_cast<std::size_t>(i)]];
        check_listable(message, select);
        json::object item = message_json(world.tenant, user, message, select, how);
        if (size)
            add_size(item, world, user, message);
        items.push_back(std::move(item));
    }
    body["value"] = std::move(items);
    if (skip + top < total) {
        std::string link = call.root() + call.path + "?";
        for (const std::string_view name :
             {"$select", "$filter", "$orderby", "$expand", "$count", "$top"}) {
            if (const std::string* value = call.query.find(name)) {
                link += std::string(name) + "=" + percent_encode(*value) + "&";
            }
        }
        body["@odata.nextLink"] = view(link + "$skip=" + std::to_string(skip + top));
    }
    Reply reply = json_reply(body);
    set_applied(reply, world, call);
    return reply;
}

Reply message_route(World& world, const Call& call) {
    call.query.allow({"$select", "$expand"});
    const Select select = message_select(call);
    const bool size = wants_size(call);
    const Message& message = require_message(world, call);
    check_convertible(message, select);
    json::object body;
    body["@odata.context"] =
        view(mailbox_context(call, "messages") + select.context() + "/$entity");
    const MessageView how{call.preferences.immutable_ids, false};
    for (auto& [key, value] : message_json(world.tenant, *call.user, message, select, how)) {
        body[key] = std::move(value);
    }
    if (size)
        add_size(body, world, *call.user, message);
    Reply reply = json_reply(body);
    reply.headers.set("ETag", etag(message));
    set_applied(reply, world, call);
    return reply;
}

Reply value_route(World& world, const Call& call) {
    call.query.allow({});
    if (!world.settings.exchange_grants && !call.has_role({"Mail.Read", "Mail.ReadWrite"})) {
        throw GraphError{
            403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.", {}};
    }
    const Message& message = require_message(world, call);
    if (message.damage.mime) {
        throw GraphError{
            500, "ErrorMimeContentConversionFailed", "MIME content conversion failed.", {}};
    }
    const ContentOwner owner = world.tenant.owner(*call.user);
    Reply reply;
    reply.stream = world.tenant.contents().open(message.content, owner);
    if (reply.stream == nullptr) {
        throw GraphError{500, "ErrorInternalServerError", "The content could not be read.", {}};
    }
    reply.stream_size = world.tenant.contents().size(message.content, owner);
    reply.headers.set("Content-Type", "text/plain");
    reply.headers.set("Cache-Control", "private");
    set_applied(reply, world, call);
    return reply;
}

Reply attachments_route(World& world, const Call& call) {
    call.query.allow({"$select", "$top", "$expand"});
    Select select;
    if (const std::string* list = call.query.find("$select"))
        select = Select::parse(*list, kAttachmentProperties, "microsoft.graph.attachment");
    const Message& message = require_message(world, call);
    const std::string mail = read_all(world, *call.user, message);
    std::vector<MimePart> files;
    for (MimePart& part : read_parts(mail)) {
        if (part.is_attachment() || part.disposition == "inline")
            files.push_back(std::move(part));
    }
    json::object body;
    const std::string context =
        mailbox_context(call, "messages('" + percent_encode(call.route.message) + "')/attachments");
    if (call.route.kind == RouteKind::Attachments) {
        json::array list;
        for (std::size_t i = 0; i < files.size(); ++i) {
            list.push_back(attachment_json(call, message, files[i], i, select));
        }
        body["@odata.context"] = view(context);
        body["value"] = std::move(list);
        return json_reply(body);
    }
    const std::string& id = call.route.attachment;
    const auto mark = id.rfind(kAttachmentMark);
    const std::size_t index =
        mark == std::string::npos
            ? files.size()
            : std::strtoul(id.c_str() + mark + kAttachmentMark.size(), nullptr, 10);
    if (mark == std::string::npos ||
        Tenant::find_message(*call.user, id.substr(0, mark)) != &message) {
        throw GraphError{400, "ErrorInvalidIdMalformed", "Id is malformed.", {}};
    }
    if (index >= files.size())
        throw not_found();
    if (call.route.kind == RouteKind::AttachmentValue) {
        Reply reply;
        reply.body = files[index].decoded();
        reply.headers.set("Content-Type", files[index].type);
        return reply;
    }
    body["@odata.context"] = view(context + "/$entity");
    for (auto& [key, value] : attachment_json(call, message, files[index], index, select)) {
        body[key] = std::move(value);
    }
    return json_reply(body);
}

Reply translate_route(World& world, const Call& call) {
    (void)world;
    call.query.allow({});
    boost::system::error_code error;
    const json::value parsed = json::parse(view(call.request.body), error);
    if (error || !parsed.is_object())
        throw bad_request("Unable to read JSON request payload.");
    const json::object& given = parsed.as_object();
    const json::value* ids = given.if_contains("inputIds");
    const std::string from = text_or(given, "sourceIdType", "");
    const std::string to = text_or(given, "targetIdType", "");
    const auto known = [](std::string_view type) {
        return type == "restId" || type == "restImmutableEntryId";
    };
    if (ids == nullptr || !ids->is_array() || ids->as_array().empty() ||
        ids->as_array().size() > kMostTranslations || !known(from) || !known(to)) {
        throw GraphError{400,
                         "ErrorInvalidRequest",
                         "inputIds must hold 1 to 1000 ids, and the types must be restId or "
                         "restImmutableEntryId.",
                         {}};
    }
    json::array list;
    for (const json::value& each : ids->as_array()) {
        const std::string id = each.is_string() ? str(each.as_string()) : std::string();
        json::object item;
        item["sourceId"] = view(id);
        const auto ref = call.user->ids.parse_message(id);
        const Message* message = ref && ref->immutable == (from == "restImmutableEntryId")
                                     ? Tenant::find_message(*call.user, id)
                                     : nullptr;
        if (message != nullptr && !message->deleted) {
            item["targetId"] =
                view(Tenant::message_id(*call.user, *message, to == "restImmutableEntryId"));
        } else {
            item["errorDetails"] =
                json::object{{"code", ref ? "ErrorItemNotFound" : "ErrorInvalidIdMalformed"},
                             {"message", ref ? "The specified object was not found in the store."
                                             : "Id is malformed."}};
        }
        list.push_back(std::move(item));
    }
    json::object body;
    body["@odata.context"] = view(call.metadata() + "Collection(microsoft.graph.convertIdResult)");
    body["value"] = std::move(list);
    return json_reply(body);
}

}  // namespace graph_simulator
