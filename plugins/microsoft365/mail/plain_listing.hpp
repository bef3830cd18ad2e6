#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"

namespace openarchiver::microsoft365 {

/// Reports every message of a folder without asking for changes, and so without a cursor: where the
/// service refuses to tell changes, or where one message makes it fail to. Pages that fail are cut
/// down to the message that they fail of; it is reported by its id alone, or counted in the error
/// (corrupt) that is returned after everything else was reported. `doubtful`: a page failed
/// already.
sdk::Status list_messages(GraphClient& graph, RequestLimiter& mailbox,
                          const std::string& account_id, const std::string& folder_id,
                          sdk::ItemSink& sink, bool doubtful, const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
