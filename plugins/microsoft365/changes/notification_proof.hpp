#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace openarchiver::microsoft365 {

/// What shows that a notification belongs to a subscription of ours. All of it is derived from the
/// secret of the source's credential and its address, so that nothing has to be kept: with the
/// same credential a restarted service makes the same out of it.
class NotificationProof {
public:
    /// `webhook_url` is where notifications are sent, without a query.
    NotificationProof(std::string_view secret, std::string webhook_url);

    /// The address of this source without its query, the mark of all that is ours.
    [[nodiscard]] const std::string& webhook_url() const { return webhook_url_; }

    /// The `notificationUrl` of subscriptions. Its query tells subscriptions of this credential
    /// from those of an earlier one, as lists of subscriptions show no clientState.
    [[nodiscard]] const std::string& notification_url() const { return notification_url_; }

    /// Whether a request was sent to notification_url(), whatever else is in its query.
    [[nodiscard]] bool addressed_by(std::string_view query) const;

    /// The `clientState` of an account's subscription: the account, and a proof of it.
    [[nodiscard]] std::string client_state(std::string_view account_id) const;

    /// The account whose subscription has this clientState; nothing where it is forged.
    [[nodiscard]] std::optional<std::string> account_of(std::string_view client_state) const;

private:
    [[nodiscard]] std::string mark(std::string_view what) const;

    std::string webhook_url_;
    std::string key_;
    std::string tag_;
    std::string notification_url_;
};

/// A value of a query, decoded as forms are; nothing where there is none of that name, or it is
/// not well formed.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace openarchiver::microsoft365
