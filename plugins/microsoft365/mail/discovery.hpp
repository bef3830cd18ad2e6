#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>

#include "graph/graph_client.hpp"
#include "graph/graph_documents.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// The account that a user of the directory is, and whether it is to be archived.
sdk::Account account_of(const UserEntry& user, const SelectionSettings& selection);

/// Reports every user of the directory. Whether one really has a mailbox shows when it is read.
sdk::Result<sdk::Listing> discover_accounts(GraphClient& graph, RequestLimiter& directory,
                                            const SelectionSettings& selection, sdk::Logger& logger,
                                            sdk::AccountSink& sink, const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
