#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "service/exit_code.hpp"
#include "service/message_stream.hpp"

namespace openarchiver::service {

/// What a service answered to a verb.
struct Answer {
    ExitCode exit_code = ExitCode::done;
    /// The verb's document, JSON text; may be empty with an error.
    std::string document;
    std::optional<sdk::Error> error;
};

/// A connection to the service that has a catalog open (docs/cli.md, Control socket).
class ControlClient {
public:
    /// Null where no service answers for this catalog.
    static std::unique_ptr<ControlClient> connect(const std::filesystem::path& catalog_folder);

    /// Hands a verb over and waits for its end; once for a connection. `options` is a JSON object;
    /// `progress` is called with each progress document. cancelled: `stop`, the service goes on;
    /// unavailable: it has gone.
    sdk::Result<Answer> call(std::string_view verb, std::string_view options,
                             const std::function<void(std::string_view json_text)>& progress,
                             std::stop_token stop);

private:
    explicit ControlClient(MessageStream stream) : stream_(std::move(stream)) {}

    MessageStream stream_;
};

}  // namespace openarchiver::service
