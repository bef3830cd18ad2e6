#pragma once

#include <chrono>
#include <functional>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
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

    Preflight(const Settings& settings, HttpClient& http, GraphClient& graph, TokenSource& tokens,
              RequestLimiter& directory, const sdk::HostServices& host, LimiterOf limiter_of)
        : settings_(settings),
          http_(http),
          graph_(graph),
          tokens_(tokens),
          directory_(directory),
          host_(host),
          limiter_of_(std::move(limiter_of)) {}

    sdk::Result<std::vector<sdk::Check>> run(const std::stop_token& stop);

private:
    /// What came back when an endpoint was asked for something that takes no token.
    struct Endpoint {
        Origin origin;
        std::optional<sdk::Error> error;
        /// The status of an answer that is not the service's own: a gateway or a portal.
        std::optional<int> foreign_status;
        /// The service's clock minus ours.
        std::optional<std::chrono::seconds> skew;
    };

    Endpoint ask(const Origin& origin, const std::string& target, const std::stop_token& stop);
    void ask_endpoints(const std::stop_token& stop);
    /// The first endpoint's error that `belongs`.
    template <typename Belongs>
    [[nodiscard]] const sdk::Error* endpoint_error(Belongs belongs) const;

    void check_credential();
    void check_token(const std::stop_token& stop);
    void check_groups(const std::stop_token& stop);
    void check_users(const std::stop_token& stop);
    void check_mailbox(const std::stop_token& stop);
    void check_changes(const std::stop_token& stop);
    [[nodiscard]] std::vector<sdk::Check> conclude() const;
    [[nodiscard]] sdk::Check reachable() const;
    [[nodiscard]] sdk::Check proxy() const;
    [[nodiscard]] sdk::Check trusted() const;
    [[nodiscard]] sdk::Check clock() const;
    [[nodiscard]] sdk::Check mail_consent() const;
    [[nodiscard]] sdk::Check users_consent() const;
    [[nodiscard]] sdk::Check expiry() const;
    [[nodiscard]] std::string how_to_grant(const std::string& permission,
                                           const std::string& id) const;

    const Settings& settings_;
    HttpClient& http_;
    GraphClient& graph_;
    TokenSource& tokens_;
    RequestLimiter& directory_;
    const sdk::HostServices& host_;
    LimiterOf limiter_of_;

    Endpoint authority_endpoint_;
    Endpoint graph_endpoint_;
    std::optional<CredentialState> credential_state_;
    bool have_token_ = false;
    bool mailbox_refused_ = false;
    std::vector<std::string> candidates_;
    GroupMembers groups_read_;
    std::optional<sdk::Check> groups_;  ///< absent: none are configured
    std::string readable_;              ///< a mailbox that was read
    /// Absent: switched off, or without an address for them.
    std::optional<sdk::Check> notifications_;
    sdk::Check credential_{.name = "credential readable"};
    sdk::Check token_{.name = "token obtained"};
    sdk::Check users_{.name = "users listable"};
    sdk::Check mailbox_{.name = "mailbox readable"};
};

}  // namespace openarchiver::microsoft365
