#include "cli/live_service.hpp"

#include <boost/json.hpp>

#include "cli/document.hpp"
#include "service/control_client.hpp"
#include "service/control_protocol.hpp"

namespace openarchiver::cli {

namespace json = boost::json;

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
    const json::value document = parse_document(answer->document);
    for (const json::value& source : list_of(document, "sources")) {
        service::LiveSource one;
        one.running = truth_of(source, "running");
        one.next_run_at = text_of(source, "next_run_at");
        one.silent = text_of(source, "silent");
        if (const json::value& error = member(source, "error"); error.is_object()) {
            one.error = sdk::Error{.code = service::errc_of(text_of(error, "code")),
                                   .message = text_of(error, "message")};
        }
        if (const json::value& progress = member(source, "progress"); progress.is_object()) {
            one.progress = json::serialize(progress);
        }
        if (const json::value& metrics = member(source, "metrics"); metrics.is_object()) {
            one.metrics = json::serialize(metrics);
        }
        live.sources.emplace(text_of(source, "id"), std::move(one));
    }
    return live;
}

}  // namespace openarchiver::cli
