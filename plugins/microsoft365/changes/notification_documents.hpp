#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "changes/notification_proof.hpp"

/// Bodies of subscriptions and notifications
/// (https://learn.microsoft.com/graph/api/resources/subscription).
namespace openarchiver::microsoft365 {

/// Only what comes: reading a message is an update, and would wake the archive in vain. What was
/// changed, moved or deleted is found by the schedule.
inline constexpr std::string_view kChangeType = "created";

/// `resource` of an account's subscription: the whole mailbox.
std::string subscribed_resource(std::string_view account_id);

/// The account of a resource as subscribed_resource() makes it; empty where it is another one.
std::string account_of_resource(std::string_view resource);

std::string new_subscription(const NotificationProof& proof, std::string_view account_id,
                             std::chrono::system_clock::time_point expires);

/// What renews a subscription.
std::string new_expiry(std::chrono::system_clock::time_point expires);

/// A notification, as far as it counts here: it only says where to look.
struct Notification {
    std::string client_state;
    std::string subscription_id;
    /// Of the subscription itself; empty where something has changed in the mailbox.
    std::string lifecycle_event;
};

/// None where the body is no collection of notifications.
std::vector<Notification> parse_notifications(std::string_view body);

}  // namespace openarchiver::microsoft365
