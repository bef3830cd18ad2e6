#pragma once

#include <string>

#include "graph/graph_documents.hpp"

namespace openarchiver::microsoft365 {

/// A message that was sent or received never changes its content, but its etag follows every flag
/// and move: its tag is made of what stays. A draft changes with every save, so its etag counts;
/// sending it makes another tag. Empty where the listing gave only part of the message.
std::string content_tag(const MessageEntry& message);

}  // namespace openarchiver::microsoft365
