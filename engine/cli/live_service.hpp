#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "service/control_client.hpp"
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

/// What became of a verb that the service did in the program's stead.
struct HandedOver {
    Outcome outcome;
    std::string document;  ///< empty with an error
};

/// `options` is a JSON object (docs/cli.md, Control socket). Waits for the end, without progress.
[[nodiscard]] HandedOver hand_over(Command& command, service::ControlClient& service,
                                   std::string_view verb, std::string_view options);

}  // namespace openarchiver::cli
