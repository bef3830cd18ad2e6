#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>

#include "auth/credentials.hpp"
#include "graph/graph_client.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// The check "change notifications": whether Microsoft has subscriptions of this source or, where
/// it has none, whether one for `account_id` (empty: there is no mailbox to try) can be made; that
/// is ended at once. It passes or is unknown, and never fails: the source works without.
sdk::Check check_notifications(GraphClient& graph, RequestLimiter& limiter,
                               const Credentials& credentials, const Settings& settings,
                               const sdk::HostServices& host, const std::string& account_id,
                               const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
