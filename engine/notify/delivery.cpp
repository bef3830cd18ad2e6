#include "notify/delivery.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <openarchiver/sdk/deadline.hpp>
#include <utility>

#include "notify/mail.hpp"
#include "notify/plain_text.hpp"
#include "notify/webhook.hpp"
#include "plugin/digest.hpp"

namespace openarchiver::notify {

namespace {

constexpr std::chrono::seconds kAtMost{30};

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

Notification new_notification(std::vector<Notice> notices, sdk::Timestamp now) {
    const auto id = plugin::random_hex(16);
    return {.id = id ? *id : std::to_string(now.time_since_epoch().count()),
            .at = now,
            .host = host_name(),
            .notices = std::move(notices)};
}

sdk::Status deliver(const profile::NotificationTarget& target, const Notification& notification,
                    const std::stop_token& stop) {
    const sdk::Deadline deadline(kAtMost, stop);
    sdk::Status done = target.webhook ? post(*target.webhook, notification, deadline.token())
                                      : send_mail(*target.smtp, notification, deadline.token());
    if (!done) {
        sdk::Error& error = done.error();
        if (deadline.token().stop_requested()) {
            error.code = stop.stop_requested() ? sdk::Errc::cancelled : sdk::Errc::timed_out;
            error.message = stop.stop_requested() ? "stopped" : "it did not answer in time";
        }
        error.message = plain_text(error.message);
    }
    return done;
}

}  // namespace openarchiver::notify
