#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "notify/notification.hpp"
#include "profile/profile.hpp"

namespace openarchiver::notify {

/// Posts it; an answer of 2xx is a success. Redirects are not followed. As deliver().
[[nodiscard]] sdk::Status post(const profile::Webhook& hook, const Notification& notification,
                               const std::stop_token& stop);

}  // namespace openarchiver::notify
