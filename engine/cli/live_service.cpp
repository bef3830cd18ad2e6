#include "cli/live_service.hpp"

#include <utility>

#include "service/status_document.hpp"

namespace openarchiver::cli {

std::optional<LiveService> ask_service(Command& command) {
    const auto service = command.running_service();
    if (!service) {
        return std::nullopt;
    }
    const auto answer = service->call("status", "{}", [](std::string_view) {}, command.stop());
    if (!answer || answer->document.empty()) {
        return std::nullopt;
    }
    LiveService live{.document = answer->document, .sources = {}};
    live.sources = service::live_sources(live.document);
    return live;
}

HandedOver hand_over(Command& command, service::ControlClient& service, std::string_view verb,
                     std::string_view options) {
    auto answer = service.call(verb, options, [](std::string_view) {}, command.stop());
    if (!answer) {
        return {std::move(answer.error()), {}};
    }
    Outcome outcome = answer->exit_code;
    outcome.error = std::move(answer->error);
    return {std::move(outcome), std::move(answer->document)};
}

}  // namespace openarchiver::cli
