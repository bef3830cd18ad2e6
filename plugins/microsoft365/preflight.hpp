#pragma once

#include <functional>
#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "auth/token_source.hpp"
#include "graph/graph_client.hpp"
#include "mail/group_members.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::check(): from the network up to a mailbox, with what to do about each.
class Preflight {
public:
    using LimiterOf = std::function<RequestLimiter&(const std::string& account_id)>;

    Preflight(const Settings& settings, GraphClient& graph, TokenSource& tokens,
              RequestLimiter& directory, const sdk::HostServices& host, LimiterOf limiter_of)
        : settings_(settings),
          graph_(graph),
          tokens_(tokens),
          directory_(directory),
          host_(host),
          limiter_of_(std::move(limiter_of)) {}

    sdk::Result<std::vector<sdk::Check>> run(const std::stop_token& stop);

private:
    /// What the network showed, over all requests.
    struct Network {
        bool answered = false;
        std::optional<sdk::Error> unreachable;
        std::optional<sdk::Error> untrusted;
    };

    void observe(const std::optional<sdk::Error>& error);

    void check_token(const std::stop_token& stop);
    void check_groups(const std::stop_token& stop);
    void check_users(const std::stop_token& stop);
    void check_mailbox(const std::stop_token& stop);
    std::vector<sdk::Check> conclude() const;
    sdk::Check reachable() const;
    sdk::Check trusted() const;
    sdk::Check clock() const;
    sdk::Check mail_consent() const;
    sdk::Check users_consent() const;
    sdk::Check expiry() const;

    const Settings& settings_;
    GraphClient& graph_;
    TokenSource& tokens_;
    RequestLimiter& directory_;
    const sdk::HostServices& host_;
    LimiterOf limiter_of_;

    Network network_;
    bool have_token_ = false;
    bool mailbox_refused_ = false;
    std::vector<std::string> candidates_;
    GroupMembers groups_read_;
    std::optional<sdk::Check> groups_;  ///< absent: none are configured
    sdk::Check token_{.name = "token obtained"};
    sdk::Check users_{.name = "users listable"};
    sdk::Check mailbox_{.name = "mailbox readable"};
};

}  // namespace openarchiver::microsoft365
