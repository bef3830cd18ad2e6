#pragma once

#include <optional>
#include <string>

#include "cli/command.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

/// What the service that has the catalog open says of itself.
struct LiveService {
    /// Its own document, JSON text.
    std::string document;
    service::LiveSources sources;
};

/// Nothing where no service answers.
[[nodiscard]] std::optional<LiveService> ask_service(Command& command);

}  // namespace openarchiver::cli
