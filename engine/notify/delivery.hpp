#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>

#include "notify/notification.hpp"
#include "profile/profile.hpp"

namespace openarchiver::notify {

/// A notification with an id of its own, of this machine.
[[nodiscard]] Notification new_notification(std::vector<Notice> notices, sdk::Timestamp now);

/// Brings it to the target, within half a minute. unauthenticated, permission_denied,
/// invalid_config (a secret or certificate can't be read), unavailable, timed_out, cancelled. No
/// text has a secret, an address, or more of a URL than its origin.
[[nodiscard]] sdk::Status deliver(const profile::NotificationTarget& target,
                                  const Notification& notification, const std::stop_token& stop);

}  // namespace openarchiver::notify
