#pragma once

#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::reconstruct_content(): a message written from what Graph tells of one that
/// Exchange can't convert: its header, its text, and its attachments one by one.
sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_message(
    GraphClient& graph, RequestLimiter& mailbox, sdk::Metrics& metrics,
    const std::string& account_id, const std::string& item_id, const sdk::Error& why,
    const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
