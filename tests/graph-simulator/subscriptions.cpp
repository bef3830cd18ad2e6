#include "subscriptions.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::int64_t kLongestLife = 10'080 * 60;
constexpr std::int64_t kShortestLife = 45 * 60;
constexpr std::int64_t kValidationTimeout = 10'000;
constexpr std::int64_t kDeliveryTimeout = 10'000;
constexpr std::size_t kMostOfMailbox = 1000;
constexpr std::size_t kPage = 100;
constexpr int kMostAttempts = 8;

GraphError invalid(std::string message) {
    return {400, "InvalidRequest", std::move(message), {}};
}

GraphError not_found() {
    return {404, "ResourceNotFound", "The object was not found.", {}};
}

json::object body_of(const Call& call) {
    boost::system::error_code error;
    json::value value = json::parse(view(call.request.body), error);
    if (error || !value.is_object())
        throw invalid("The body is not a JSON object.");
    return std::move(value.as_object());
}

std::string precise_time(std::int64_t milliseconds) {
    std::string fraction = std::to_string(milliseconds % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    std::string text = iso_time(milliseconds / 1000);
    text.insert(text.size() - 1, "." + fraction);
    return text;
}

bool has_word(std::string_view list, std::string_view word) {
    const auto words = split(list, ',');
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view each) { return trim(each) == word; });
}

std::string_view change_type(ChangeKind kind) {
    switch (kind) {
        case ChangeKind::Created:
        case ChangeKind::Returned:
            return "created";
        case ChangeKind::Updated:
            return "updated";
        case ChangeKind::Removed:
            break;
    }
    return "deleted";
}

}  // namespace

std::int64_t Subscriptions::parse_expiry(const json::object& body) const {
    const auto asked = parse_iso_time(text_or(body, "expirationDateTime", ""));
    if (!asked)
        throw invalid("expirationDateTime is missing or is no time.");
    const std::int64_t now = now_seconds();
    if (*asked <= now)
        throw invalid("Subscription expiration must be in the future.");
    if (*asked > now + kLongestLife)
        throw invalid("Subscription expiration can only be 10080 minutes in the future.");
    const std::int64_t granted = std::max(*asked, now + kShortestLife) * 1000;
    const std::int64_t shortened = world_.settings.subscription_life_ms;
    return shortened > 0 ? std::min(granted, now_milliseconds() + shortened) : granted;
}

Subscription Subscriptions::parse(const Call& call) const {
    if (!call.has_role({"Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic.All"}) &&
        !world_.settings.exchange_grants) {
        throw GraphError{403,
                         "ExtensionError",
                         "Operation: Create; Exception: [Status Code: Forbidden; Reason: Access is "
                         "denied. Check credentials and try again.]",
                         {}};
    }
    const json::object body = body_of(call);
    Subscription made;
    made.id = fresh_guid();
    made.change_type = text_or(body, "changeType", "");
    made.resource = text_or(body, "resource", "");
    made.notification_url = text_or(body, "notificationUrl", "");
    made.lifecycle_url = text_or(body, "lifecycleNotificationUrl", "");
    made.client_state = text_or(body, "clientState", "");
    made.expires_ms = parse_expiry(body);
    for (const std::string_view word : split(made.change_type, ',')) {
        const std::string_view type = trim(word);
        if (type != "created" && type != "updated" && type != "deleted")
            throw invalid("changeType must hold created, updated or deleted.");
    }
    if (made.client_state.size() > 128)
        throw invalid("clientState is longer than 128 characters.");
    for (const std::string* url : {&made.notification_url, &made.lifecycle_url}) {
        const bool missing = url == &made.notification_url && url->empty();
        const bool plain = url->starts_with("http://127.0.0.1:");
        if (missing || (!url->empty() && !url->starts_with("https://") &&
                        !(plain && world_.settings.subscription_http))) {
            throw invalid("Expected notificationUrl and lifecycleNotificationUrl to be https.");
        }
    }
    const Route route =
        parse_route(made.resource.starts_with("/") ? made.resource : "/" + made.resource);
    if (route.kind != RouteKind::Messages)
        throw invalid("The resource is not supported: " + made.resource);
    User* user = world_.tenant.find_user(route.user);
    if (user == nullptr || user->removed || user->mailbox == MailboxState::None ||
        user->mailbox == MailboxState::Invalid) {
        throw GraphError{404,
                         "ExtensionError",
                         "Operation: Create; Exception: [Status Code: NotFound; Reason: REST API "
                         "is not yet supported for this mailbox.]",
                         {}};
    }
    made.user = user->number;
    if (!route.folder.empty()) {
        const Folder* folder = Tenant::find_folder(*user, route.folder);
        if (folder == nullptr)
            throw not_found();
        made.folder = user->ids.folder(folder->number);
    }
    std::size_t of_mailbox = 0;
    for (const Subscription& each : list_) {
        of_mailbox += each.user == made.user ? 1 : 0;
        if (each.change_type == made.change_type && iequals(each.resource, made.resource)) {
            throw GraphError{
                409,
                "Conflict",
                "Subscription Id " + each.id + " already exists for the requested combination",
                {}};
        }
    }
    if (of_mailbox >= kMostOfMailbox) {
        throw GraphError{403,
                         "Forbidden",
                         "The mailbox has reached its limit of 1000 active subscriptions.",
                         {}};
    }
    return made;
}

void Subscriptions::validate(std::vector<std::string> urls, std::function<void(std::string)> done) {
    if (urls.empty())
        return done("");
    const std::string token =
        "Validation: Testing client application reachability for subscription Request-Id: " +
        fresh_guid() + " <a&b>+";
    const std::string url = urls.back();
    urls.pop_back();
    const std::string target = url + (url.find('?') == std::string::npos ? "?" : "&") +
                               "validationToken=" + percent_encode(token);
    scheduler_.post(
        {target, "text/plain; charset=utf-8", "", kValidationTimeout},
        [this, token, urls = std::move(urls), done = std::move(done)](const Posted& posted) {
            if (posted.status == 0)
                return done("Subscription validation request timed out.");
            if (posted.status != 200) {
                return done("Subscription validation request failed. HTTP status code is '" +
                            std::to_string(posted.status) +
                            "'. Notification endpoint must respond with 200 OK to validation "
                            "request.");
            }
            if (!istarts_with(posted.content_type, "text/plain") || posted.body != token) {
                return done(
                    "Subscription validation request failed. Response must exactly match "
                    "validationToken query parameter.");
            }
            validate(urls, done);
        });
}

void Subscriptions::create(const Call& call, Answer answer, Refuse refuse) {
    forget_expired();
    Subscription made = parse(call);
    std::vector<std::string> urls = {made.notification_url};
    if (!made.lifecycle_url.empty())
        urls.push_back(made.lifecycle_url);
    auto context = std::make_shared<Call>();  // what describe() needs of it
    context->request.origin = call.request.origin;
    validate(std::move(urls), [this, made, context, answer = std::move(answer),
                               refuse = std::move(refuse)](const std::string& problem) {
        if (!problem.empty())
            return refuse({400, "ValidationError", problem, {}});
        list_.push_back(made);
        answer(json_reply(describe(*context, made, true), 201));
    });
}

Subscription* Subscriptions::find(const std::string& id) {
    const auto found = std::find_if(list_.begin(), list_.end(),
                                    [&](const Subscription& each) { return iequals(each.id, id); });
    return found == list_.end() ? nullptr : &*found;
}

void Subscriptions::forget_expired() {
    const std::int64_t now = now_milliseconds();
    std::erase_if(list_, [now](const Subscription& each) { return each.expires_ms <= now; });
}

json::object Subscriptions::describe(const Call& call, const Subscription& each,
                                     bool with_state) const {
    json::object out;
    if (with_state)
        out["@odata.context"] = view(call.metadata() + "subscriptions/$entity");
    out["id"] = view(each.id);
    out["resource"] = view(each.resource);
    out["applicationId"] = view(world_.options.client_id);
    out["changeType"] = view(each.change_type);
    // Lists don't show it.
    out["clientState"] = with_state ? json::value(view(each.client_state)) : json::value();
    out["notificationUrl"] = view(each.notification_url);
    out["lifecycleNotificationUrl"] =
        each.lifecycle_url.empty() ? json::value() : json::value(view(each.lifecycle_url));
    out["expirationDateTime"] = view(precise_time(each.expires_ms));
    out["creatorId"] = "7b1f8f0e-2a3c-4d5e-8f90-a1b2c3d4e5f6";
    out["includeResourceData"] = nullptr;
    out["latestSupportedTlsVersion"] = "v1_2";
    return out;
}

Reply Subscriptions::route(const Call& call) {
    forget_expired();
    if (call.route.kind == RouteKind::Subscriptions) {
        call.query.allow({"$skiptoken"});
        const auto from = static_cast<std::size_t>(call.query.number("$skiptoken", 0).value_or(0));
        const std::size_t to = std::min(from + kPage, list_.size());
        json::array values;
        for (std::size_t i = from; i < to; ++i) values.push_back(describe(call, list_[i], false));
        json::object body;
        body["@odata.context"] = view(call.metadata() + "subscriptions");
        body["value"] = std::move(values);
        if (to < list_.size()) {
            body["@odata.nextLink"] =
                view(call.root() + "/subscriptions?$skiptoken=" + std::to_string(to));
        }
        return json_reply(body);
    }
    Subscription* found = find(call.route.subscription);
    if (found == nullptr)
        throw not_found();
    if (call.request.method == "DELETE") {
        const std::string id = found->id;
        std::erase_if(list_, [&](const Subscription& each) { return each.id == id; });
        Reply reply;
        reply.status = 204;
        return reply;
    }
    if (call.request.method == "PATCH")
        found->expires_ms = parse_expiry(body_of(call));
    return json_reply(describe(call, *found, true));
}

json::object Subscriptions::envelope(const Subscription& subscription) const {
    return {{"subscriptionId", view(subscription.id)},
            {"subscriptionExpirationDateTime", view(precise_time(subscription.expires_ms))},
            {"clientState", view(subscription.client_state)},
            {"tenantId", view(world_.options.tenant)}};
}

void Subscriptions::changed(const User& user, const Message& message, ChangeKind kind) {
    forget_expired();
    const std::string_view type = change_type(kind);
    for (const Subscription& each : list_) {
        if (each.user != user.number || user.removed || !has_word(each.change_type, type) ||
            (!each.folder.empty() && each.folder != user.ids.folder(message.folder))) {
            continue;
        }
        const std::string resource =
            "Users/" + user.id + "/Messages/" + Tenant::message_id(user, message, true);
        json::object notification = envelope(each);
        notification["changeType"] = view(type);
        notification["resource"] = view(resource);
        notification["resourceData"] =
            json::object{{"@odata.type", "#Microsoft.Graph.Message"},
                         {"@odata.id", view(resource)},
                         {"@odata.etag", "W/\"CQAAABYAAADk\""},
                         {"id", view(Tenant::message_id(user, message, true))}};
        notify(each, each.notification_url, std::string(type), std::move(notification));
    }
}

void Subscriptions::notify(const Subscription& subscription, const std::string& url,
                           std::string kind, json::object notification) {
    const Settings& settings = world_.settings;
    const std::size_t number = deliveries_.size();
    deliveries_.push_back({subscription.id, std::move(kind), 0, 0});
    if (settings.notifications_lost)
        return;
    const std::string body =
        json::serialize(json::object{{"value", json::array{std::move(notification)}}});
    // Every other one waits for longer, and is overtaken.
    const bool late = settings.notifications_reordered && delayed_++ % 2 == 0;
    const std::int64_t wait = settings.notification_delay_ms * (late ? 4 : 1);
    for (int copies = settings.notifications_doubled ? 2 : 1; copies > 0; --copies) {
        scheduler_.after(wait, [this, url, body, number] { post(url, body, number); });
    }
}

void Subscriptions::post(const std::string& url, std::string body, std::size_t delivery) {
    ++deliveries_[delivery].attempts;
    scheduler_.post({url, "application/json; charset=utf-8", body, kDeliveryTimeout},
                    [this, url, body, delivery](const Posted& posted) {
                        Delivery& record = deliveries_[delivery];
                        record.status = posted.status;
                        if (posted.status / 100 == 2 || record.attempts >= kMostAttempts)
                            return;
                        scheduler_.after(250LL << record.attempts, [this, url, body, delivery] {
                            post(url, body, delivery);
                        });
                    });
}

json::object Subscriptions::to_json() {
    forget_expired();
    json::array subscriptions;
    for (const Subscription& each : list_) {
        subscriptions.push_back(
            json::object{{"id", view(each.id)},
                         {"user", view(world_.tenant.users()[each.user]->id)},
                         {"resource", view(each.resource)},
                         {"change_type", view(each.change_type)},
                         {"notification_url", view(each.notification_url)},
                         {"lifecycle_url", view(each.lifecycle_url)},
                         {"client_state", view(each.client_state)},
                         {"expires_in_ms", each.expires_ms - now_milliseconds()}});
    }
    json::array deliveries;
    for (const Delivery& each : deliveries_) {
        deliveries.push_back(json::object{{"subscription", view(each.subscription)},
                                          {"kind", view(each.kind)},
                                          {"attempts", each.attempts},
                                          {"status", each.status}});
    }
    return {{"subscriptions", std::move(subscriptions)}, {"deliveries", std::move(deliveries)}};
}

json::object Subscriptions::control(const json::object& body) {
    const std::string op = text_or(body, "op", "");
    if (op == "add") {
        // Of another program with the same application: nobody asks its address.
        Subscription other;
        other.id = fresh_guid();
        other.change_type = text_or(body, "change_type", "created");
        other.notification_url = text_or(body, "url", "https://elsewhere.example/hook");
        other.client_state = text_or(body, "client_state", "another");
        other.lifecycle_url = other.notification_url;
        User* user = world_.tenant.find_user(text_or(body, "user", ""));
        if (user == nullptr)
            throw std::invalid_argument("no such user");
        other.user = user->number;
        other.resource = text_or(body, "resource", "/users/" + user->id + "/messages");
        other.expires_ms = now_milliseconds() + kLongestLife * 1000;
        list_.push_back(other);
        return {{"id", view(other.id)}};
    }
    Subscription* found = find(text_or(body, "subscription", ""));
    if (found == nullptr)
        throw std::invalid_argument("no such subscription");
    const Subscription subscription = *found;
    if (op == "remove") {
        std::erase_if(list_, [&](const Subscription& each) { return each.id == subscription.id; });
        if (!flag_or(body, "tell", true))
            return {{"ok", true}};
    } else if (op != "tell") {
        throw std::invalid_argument("op must be add, remove or tell");
    }
    const std::string event = op == "remove" ? "subscriptionRemoved" : text_or(body, "event", "");
    json::object notification = envelope(subscription);
    notification["clientState"] = view(text_or(body, "client_state", subscription.client_state));
    if (!event.empty())
        notification["lifecycleEvent"] = view(event);
    else
        notification["changeType"] = "created";
    notify(subscription, text_or(body, "url", subscription.lifecycle_url), event,
           std::move(notification));
    return {{"ok", true}};
}

}  // namespace graph_simulator
