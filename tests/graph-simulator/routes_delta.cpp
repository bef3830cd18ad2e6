// Message delta of one folder, and the delta links of all kinds.
#include <algorithm>

#include "filter.hpp"
#include "resources.hpp"
#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::int64_t kDefaultPage = 10;
constexpr std::uint32_t kFilterCap = 5000;

GraphError gone(std::uint32_t generation, std::uint32_t highest) {
    return {410,
            "SyncStateNotFound",
            "The sync state generation is not found; generation=" + std::to_string(generation) +
                ";[highest=" + std::to_string(highest) + "].",
            {}};
}

DeltaToken first_token(World& world, const Call& call, const Folder& folder) {
    call.query.allow({"$select", "$filter", "$orderby", "$top", "$expand", "changeType"});
    DeltaToken token;
    token.user = call.user->number;
    token.folder = folder.number;
    token.generation = folder.generation;
    const Folder& source = folder.search ? call.user->folders[folder.parent] : folder;
    token.round_start = static_cast<std::uint32_t>(source.log.size());
    const std::string select = call.query.get("$select");
    if (!select.empty())
        (void)Select::parse(select, message_properties(), kMessageType);
    token.select = remember_select(world, select);
    if (call.query.find("$expand") != nullptr)
        throw bad_request("$expand is not supported here.");
    if (const std::string* text = call.query.find("$filter")) {
        const Filter filter = Filter::parse(*text, message_properties(), kMessageType);
        Filter::Since since;
        const auto time = filter.is_since(since) ? parse_iso_time(since.time) : std::nullopt;
        if (!time) {
            throw bad_request(
                "The following parameters are not supported with change tracking over "
                "the 'Messages' resource: '$filter' other than receivedDateTime ge or "
                "gt.");
        }
        token.filter = since.inclusive ? 1 : 2;
        token.filter_time = *time;
    }
    if (const std::string* text = call.query.find("$orderby")) {
        const auto order = parse_order(*text);
        if (order.size() != 1 || order[0].property != "receivedDateTime" || !order[0].descending) {
            throw bad_request("Change tracking supports only $orderby=receivedDateTime desc.");
        }
        token.ordered = 1;
        token.last_received = INT64_MAX;
    }
    if (const auto top = call.query.number("$top", 1)) {
        token.top = static_cast<std::uint32_t>(std::min<std::int64_t>(*top, UINT32_MAX));
    }
    if (const std::string* type = call.query.find("changeType")) {
        if (*type == "created")
            token.change_type = 1;
        else if (*type == "updated")
            token.change_type = 2;
        else if (*type == "deleted")
            token.change_type = 3;
        else
            throw bad_request("Invalid value for changeType: '" + *type + "'.");
    }
    return token;
}

class Round {
public:
    Round(World& world, const Call& call, const Folder& folder, DeltaToken& token)
        : world_(world),
          user_(*call.user),
          folder_(folder),
          token_(token),
          how_{call.preferences.immutable_ids, true} {
        const std::string& list = world.selects[token.select];
        if (!list.empty())
            select_ = Select::parse(list, message_properties(), kMessageType);
    }

    // Returns true when the round is complete.
    bool page(std::size_t limit) {
        if (token_.ordered != 0 && token_.initial != 0)
            return ordered_page(limit);
        const std::size_t end = visible_end();
        std::size_t position = token_.position;
        // What arrived after this entry has not been reported to the caller yet.
        known_before_ =
            token_.initial != 0 ? token_.position : std::max(token_.position, token_.round_start);
        while (position < end) {
            if (items.size() >= limit || capped())
                break;
            emit(log()[position], static_cast<std::uint32_t>(position));
            ++position;
        }
        token_.position = static_cast<std::uint32_t>(position);
        if (position < end && capped()) {  // the rest of the round is lost to the caller
            token_.position = static_cast<std::uint32_t>(end);
            return true;
        }
        return position >= end;
    }

    json::array items;

private:
    const std::vector<LogEntry>& log() const {
        return folder_.search ? user_.folders[folder_.parent].log : folder_.log;
    }

    std::uint32_t place() const { return folder_.search ? folder_.parent : folder_.number; }

    // Changes may become visible with a delay.
    std::size_t visible_end() const {
        std::size_t end = log().size();
        if (world_.settings.delay_changes_ms > 0) {
            const std::int64_t newest = now_milliseconds() - world_.settings.delay_changes_ms;
            while (end > 0 && log()[end - 1].time_ms > newest) --end;
        }
        return end;
    }

    bool capped() const {
        return (token_.top != 0 && token_.emitted >= token_.top) ||
               (token_.filter != 0 && token_.initial != 0 && token_.emitted >= kFilterCap);
    }

    bool passes_filter(const Message& message) const {
        if (token_.filter == 0)
            return true;
        return token_.filter == 1 ? message.received >= token_.filter_time
                                  : message.received > token_.filter_time;
    }

    bool wanted(ChangeKind kind) const {
        if (token_.initial != 0 || token_.change_type == 0)
            return true;
        if (kind == ChangeKind::Removed)
            return token_.change_type == 3;
        return token_.change_type == (kind == ChangeKind::Updated ? 2 : 1);
    }

    void emit(const LogEntry& entry, std::uint32_t position) {
        const Message& message = user_.messages[entry.message];
        if (folder_.search && !Tenant::in_search_folder(message))
            return;
        const bool here = !message.deleted && message.folder == place();
        if (entry.kind == ChangeKind::Removed) {
            const bool lost = here && log()[message.arrival].kind == ChangeKind::Returned &&
                              message.last_entry == message.arrival;
            // Came and went between two rounds: never heard of.
            const bool unknown = entry.arrival >= known_before_;
            // In the first round only what left while that round was being paged.
            const bool reported = token_.initial == 0 || position >= token_.round_start;
            if (reported && (!here || lost) && !unknown && wanted(entry.kind))
                add_removed(message);
            return;
        }
        if (!here || message.last_entry != position || !passes_filter(message))
            return;
        if (entry.kind == ChangeKind::Returned && token_.initial == 0)
            return;
        if (wanted(entry.kind))
            add(message, entry.kind);
    }

    void add_removed(const Message& message) {
        json::object item;
        item["@odata.type"] = "#microsoft.graph.message";
        item["id"] = view(Tenant::message_id(user_, message, how_.immutable_ids));
        item["@removed"] = json::object{{"reason", "deleted"}};
        items.push_back(std::move(item));
        ++token_.emitted;
    }

    void add(const Message& message, ChangeKind kind) {
        if (kind == ChangeKind::Updated && world_.settings.partial_flips && token_.initial == 0) {
            json::object item;
            item["@odata.type"] = "#microsoft.graph.message";
            item["@odata.etag"] = view(etag(message));
            item["isRead"] = message.read;
            item["parentFolderId"] = view(user_.ids.folder(message.folder));
            item["id"] = view(Tenant::message_id(user_, message, how_.immutable_ids));
            items.push_back(std::move(item));
        } else {
            check_listable(message, select_);
            items.push_back(message_json(world_.tenant, user_, message, select_, how_));
        }
        ++token_.emitted;
    }

    // Newest first, continued by the last item sent, so that removals in between skip nothing.
    bool ordered_page(std::size_t limit) {
        const auto& list = Tenant::by_received(user_, user_.folders[place()]);
        for (auto at = list.rbegin(); at != list.rend(); ++at) {
            const Message& message = user_.messages[*at];
            const bool sent =
                message.received > token_.last_received ||
                (message.received == token_.last_received && message.number >= token_.last_number);
            if (sent || !passes_filter(message) || message.last_entry >= token_.round_start ||
                (folder_.search && !Tenant::in_search_folder(message))) {
                continue;
            }
            if (capped())
                break;
            if (items.size() >= limit)
                return false;
            token_.last_received = message.received;
            token_.last_number = message.number;
            add(message, ChangeKind::Created);
        }
        token_.position = token_.round_start;
        return true;
    }

    World& world_;
    const User& user_;
    const Folder& folder_;
    DeltaToken& token_;
    const MessageView how_;
    Select select_;
    std::uint32_t known_before_ = 0;
};

}  // namespace

std::int64_t page_size(const World& world, const Call& call, std::int64_t fallback) {
    if (world.settings.page_size_fixed > 0)
        return world.settings.page_size_fixed;
    // The preference is advice: the service keeps to its own maximum.
    return std::min(call.preferences.max_page_size.value_or(fallback),
                    std::max<std::int64_t>(world.settings.page_size_max, 1));
}

std::uint32_t remember_select(World& world, const std::string& list) {
    auto& known = world.selects;
    const auto found = std::find(known.begin(), known.end(), list);
    if (found != known.end())
        return static_cast<std::uint32_t>(found - known.begin());
    known.push_back(list);
    return static_cast<std::uint32_t>(known.size() - 1);
}

std::optional<DeltaToken> token_from_link(World& world, const Call& call, std::uint8_t kind) {
    const std::string* next = call.query.find("$skiptoken");
    const std::string* delta = call.query.find("$deltatoken");
    if (next == nullptr && delta == nullptr)
        return std::nullopt;
    if (kind == DeltaToken::Users && delta != nullptr && (*delta == "latest" || delta->empty())) {
        return std::nullopt;
    }
    if (delta != nullptr && *delta == "latest") {
        throw bad_request("$deltatoken=latest is not supported for this resource.");
    }
    call.query.allow({next != nullptr ? "$skiptoken" : "$deltatoken"});
    const auto token = world.delta_tokens.read(next != nullptr ? *next : *delta);
    if (!token || token->link != (next != nullptr ? 1 : 2) || token->kind != kind ||
        token->select >= world.selects.size()) {
        throw bad_request("Badly formed token.");
    }
    std::uint32_t highest = world.tenant.users_generation();
    if (kind != DeltaToken::Users) {
        if (token->user != call.user->number)
            throw bad_request("Badly formed token.");
        highest = call.user->folders_generation;
    }
    if (kind == DeltaToken::Messages) {
        const Folder& folder = require_folder(call);
        if (token->folder != folder.number)
            throw bad_request("Badly formed token.");
        highest = folder.generation;
    }
    if (token->generation != highest) {
        GraphError error = gone(token->generation, highest);
        if (kind == DeltaToken::Users) {
            const std::string& select = world.selects[token->select];
            error.headers.push_back(
                {"Location", call.root() + "/users/delta?" +
                                 (select.empty() ? "" : "$select=" + select + "&") +
                                 "$deltatoken="});
        }
        throw error;
    }
    return token;
}

Reply messages_delta_route(World& world, const Call& call) {
    const Folder& folder = require_folder(call);
    if (call.user->mailbox == MailboxState::Quota) {
        throw GraphError{
            403, "ErrorQuotaExceeded", "Cannot save changes made to an item to store.", {}};
    }
    if (!world.settings.delta_supported) {
        throw bad_request("Parameter 'DeltaToken' not supported for this request.");
    }
    auto token = token_from_link(world, call, DeltaToken::Messages);
    if (!token)
        token = first_token(world, call, folder);
    if (token->link == 2) {  // a new round
        token->emitted = 0;
        token->top = 0;
        token->round_start = token->position;
        const auto replay = static_cast<std::uint32_t>(world.settings.replay);
        token->position -= std::min(token->position, replay);
    }
    Round round(world, call, folder, *token);
    bool complete = false;
    if (world.settings.empty_pages && token->after_empty == 0) {
        token->after_empty = 1;
    } else {
        token->after_empty = 0;
        complete = round.page(static_cast<std::size_t>(page_size(world, call, kDefaultPage)));
    }
    token->link = complete ? 2 : 1;
    if (complete)
        token->initial = 0;
    json::object body;
    body["@odata.context"] = view(call.metadata() + "Collection(message)");
    body[complete ? "@odata.deltaLink" : "@odata.nextLink"] =
        view(call.root() + "/users('" + call.user->id + "')/mailFolders('" +
             call.user->ids.folder(folder.number) + "')/messages/delta?" +
             (complete ? "$deltatoken=" : "$skiptoken=") + world.delta_tokens.write(*token));
    body["value"] = std::move(round.items);
    Reply reply = json_reply(body);
    if (!call.preferences.applied.empty() && world.settings.preference_applied) {
        reply.headers.set("Preference-Applied", call.preferences.applied);
    }
    return reply;
}

}  // namespace graph_simulator
