#include "changes/notification_documents.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "failure.hpp"
#include "time_text.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

bool begins_with(std::string_view text, std::string_view lower_case) {
    return text.size() >= lower_case.size() &&
           std::ranges::equal(text.substr(0, lower_case.size()), lower_case, [](char a, char b) {
               return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
           });
}

}  // namespace

std::string subscribed_resource(std::string_view account_id) {
    return "/users/" + percent_encode(account_id) + "/messages";
}

std::string account_of_resource(std::string_view resource) {
    // The service writes "Users/…/Messages" in places.
    if (resource.starts_with('/')) {
        resource.remove_prefix(1);
    }
    constexpr std::string_view kUsers = "users/";
    if (!begins_with(resource, kUsers)) {
        return {};
    }
    resource.remove_prefix(kUsers.size());
    const std::size_t end = resource.find('/');
    return end != std::string_view::npos && resource.size() == end + 9 &&
                   begins_with(resource.substr(end), "/messages")
               ? std::string(resource.substr(0, end))
               : std::string();
}

std::string new_subscription(const NotificationProof& proof, std::string_view account_id,
                             std::chrono::system_clock::time_point expires) {
    return json::serialize(json::object{{"changeType", kChangeType},
                                        {"notificationUrl", proof.notification_url()},
                                        {"lifecycleNotificationUrl", proof.notification_url()},
                                        {"resource", subscribed_resource(account_id)},
                                        {"expirationDateTime", time_text(expires)},
                                        {"clientState", proof.client_state(account_id)},
                                        {"latestSupportedTlsVersion", "v1_2"}});
}

std::string new_expiry(std::chrono::system_clock::time_point expires) {
    return json::serialize(json::object{{"expirationDateTime", time_text(expires)}});
}

std::vector<Notification> parse_notifications(std::string_view body) {
    json::error_code error;
    json::monotonic_resource memory;
    const json::value document = json::parse(body, error, &memory);
    const json::value* values =
        error || !document.is_object() ? nullptr : document.get_object().if_contains("value");
    std::vector<Notification> notifications;
    if (values == nullptr || !values->is_array()) {
        return notifications;
    }
    for (const json::value& value : values->get_array()) {
        if (!value.is_object()) {
            continue;
        }
        const json::object& object = value.get_object();
        notifications.push_back({.client_state = text_of(object, "clientState"),
                                 .subscription_id = text_of(object, "subscriptionId"),
                                 .lifecycle_event = text_of(object, "lifecycleEvent")});
    }
    return notifications;
}

}  // namespace openarchiver::microsoft365
