#pragma once

#include <openarchiver/sdk/model.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "notify/condition.hpp"

namespace openarchiver::notify {

enum class Change : std::uint8_t { begun, worse, reminder, over };

[[nodiscard]] std::string_view to_string(Change change);

/// What a target is told of one condition.
struct Notice {
    Change change = Change::begun;
    Condition condition;
    sdk::Timestamp since = {};
    /// Addresses of accounts that failed, where the target may know them.
    std::vector<std::string> accounts = {};
};

/// What is sent in one go.
struct Notification {
    std::string id;
    sdk::Timestamp at;
    /// Where the engine runs.
    std::string host;
    /// Empty: a test.
    std::vector<Notice> notices = {};
};

/// A line for people that sums it up.
[[nodiscard]] std::string summary_of(const Notification& notification);
/// What a mail says; lines end with CR LF.
[[nodiscard]] std::string mail_text(const Notification& notification);
/// What a webhook gets (docs/notifications.md).
[[nodiscard]] std::string to_json(const Notification& notification);

}  // namespace openarchiver::notify
