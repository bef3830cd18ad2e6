#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <string_view>

#include "graph/graph_documents.hpp"

namespace openarchiver::microsoft365 {

/// What is asked of each message in a listing: enough for its content tag, and no more.
inline constexpr std::string_view kListedFields =
    "id,internetMessageId,receivedDateTime,createdDateTime,parentFolderId,isDraft";

/// Hands a page's messages to the engine.
sdk::Flow report(const Page<MessageEntry>& page, sdk::ItemSink& sink);

}  // namespace openarchiver::microsoft365
