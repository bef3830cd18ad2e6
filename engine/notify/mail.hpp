#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "notify/notification.hpp"
#include "profile/profile.hpp"

namespace openarchiver::notify {

/// Sends it as a mail (RFC 5321), with TLS as the profile says: without it nothing is said to the
/// server but EHLO and STARTTLS. As deliver().
[[nodiscard]] sdk::Status send_mail(const profile::Smtp& smtp, const Notification& notification,
                                    const std::stop_token& stop);

}  // namespace openarchiver::notify
