#pragma once

#include <chrono>
#include <openarchiver/sdk/model.hpp>
#include <string_view>

namespace openarchiver::pipeline {

/// Whether the moment for listing a folder anew came after `last` (when it was last synced; 0:
/// never, then it is listed whole anyway) and not later than `now`. Each folder has a moment of its
/// own in every period, so that a run lists few of them, and nothing has to be remembered.
[[nodiscard]] bool reconcile_due(std::string_view account_id, std::string_view folder_id,
                                 sdk::Timestamp last, sdk::Timestamp now,
                                 std::chrono::seconds every);

}  // namespace openarchiver::pipeline
