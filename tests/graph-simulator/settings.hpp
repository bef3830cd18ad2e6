// What the command line fixes and what a test may change while the simulator runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json_text.hpp"

namespace graph_simulator {

struct Settings {
    // Time and throttling
    std::int64_t latency_ms = 0;
    std::int64_t latency_jitter_ms = 0;
    bool limits = true;
    std::int64_t max_concurrent = 4;      // per app and mailbox
    std::int64_t app_max_concurrent = 0;  // over all mailboxes; 0: no such limit
    std::int64_t window_requests = 10000;
    std::int64_t window_ms = 600000;
    std::int64_t retry_after_min = 1;
    std::int64_t retry_after_max = 10;
    bool retry_after_header = true;

    // Tokens
    std::int64_t token_lifetime = 3599;
    std::vector<std::string> roles = {"Mail.Read", "User.Read.All", "GroupMember.Read.All",
                                      "MailboxSettings.Read"};
    std::int64_t token_error = 0;  // an AADSTS code the token endpoint answers with

    // Pages and delta
    std::int64_t page_size_max = 1000;
    std::int64_t page_size_fixed = 0;  // whatever is asked for; 0: as asked
    std::int64_t users_delta_page = 100;
    bool empty_pages = false;     // an empty page with nextLink before every page
    bool immutable_loss = false;  // A to B to A shows as removal only
    std::int64_t replay = 0;      // log entries repeated at the start of a delta round
    std::int64_t delay_changes_ms = 0;
    bool exchange_grants = false;      // RBAC for Applications: mail is readable without the role
    bool users_delta_partial = false;  // later rounds name few properties of a changed user
    bool partial_flips = false;        // touched messages come with few members
    bool delta_supported = true;
    bool preference_applied = true;

    // Notifications
    std::int64_t notification_delay_ms = 50;
    std::int64_t subscription_life_ms = 0;  // shorter than asked for; 0: as asked
    bool subscription_http = false;         // addresses of plain http on 127.0.0.1 are taken
    bool notifications_lost = false;
    bool notifications_doubled = false;
    bool notifications_reordered = false;

    // Content
    std::int64_t chunk_size = 16384;
    bool batch_value_raw = false;

    // Throws std::invalid_argument for an unknown name or a wrong type.
    void apply(const json::object& changes);
    json::object to_json() const;
};

}  // namespace graph_simulator
