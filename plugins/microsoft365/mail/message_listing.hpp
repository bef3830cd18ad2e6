#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::sync_folder(). The cursor is the service's link itself.
sdk::Status sync_messages(GraphClient& graph, RequestLimiter& mailbox,
                          const std::string& account_id, const std::string& folder_id,
                          const std::optional<sdk::Cursor>& cursor, sdk::Logger& logger,
                          sdk::ItemSink& sink, const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
