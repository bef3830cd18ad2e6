#include "cli/live_service.hpp"

#include "service/control_client.hpp"
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

}  // namespace openarchiver::cli
