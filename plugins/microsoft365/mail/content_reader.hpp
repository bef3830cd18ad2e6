#pragma once

#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::open_content(): the message as Exchange writes it.
sdk::Result<std::unique_ptr<sdk::ByteReader>> open_message(
    GraphClient& graph, RequestLimiter& mailbox, sdk::Metrics& metrics,
    const std::string& account_id, const std::string& item_id, const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
