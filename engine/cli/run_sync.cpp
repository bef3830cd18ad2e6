#include "cli/run_sync.hpp"

#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <utility>

#include "cli/screen.hpp"
#include "cli/sync_display.hpp"
#include "service/control_client.hpp"
#include "service/sync_once.hpp"

namespace openarchiver::cli {

namespace {

using sdk::Errc;

Outcome outcome_of(ExitCode code, std::optional<sdk::Error> error) {
    Outcome outcome = code;
    outcome.error = std::move(error);
    return outcome;
}

SyncEnd hand_over(Command& command, service::ControlClient& service,
                  const service::SyncRequest& request) {
    std::mutex mutex;  // guards latest
    std::vector<service::SourceProgress> latest;
    SyncDisplay display;
    const auto shown = command.show_progress([&](std::size_t columns) {
        const std::lock_guard lock(mutex);
        return display.line(latest, columns);
    });
    auto answer = service.call(
        "sync", service::to_json(request),
        [&](std::string_view json_text) {
            const std::lock_guard lock(mutex);
            latest = service::parse_progress(json_text);
        },
        command.stop());
    if (!answer && answer.error().code == Errc::cancelled) {
        answer.error().message =
            "interrupted; the running service goes on with this sync (stop it with SIGTERM)";
    }
    if (!answer) {
        return {.outcome = answer.error(), .document = {}};
    }
    return {.outcome = outcome_of(answer->exit_code, std::move(answer->error)),
            .document = std::move(answer->document)};
}

/// Calls into plugins did not come back: nothing can be waited for any more.
[[noreturn]] void abandon(Command& command) {
    command.finish(Outcome(sdk::Error{
        .code = Errc::cancelled,
        .message = "interrupted, without waiting any longer for calls that did not come back; "
                   "everything archived is safe"}));
    std::fflush(nullptr);
    ::_exit(static_cast<int>(ExitCode::interrupted));
}

SyncEnd sync_here(Command& command, const service::SyncRequest& request) {
    service::ProgressBoard board;
    const access::Context context = command.context();
    service::SyncOnce once{
        .context = context,
        .request = request,
        .board = board,
        .announce = [&](std::string_view text) { command.announce(text); },
        .abandoned = [&] { abandon(command); },
    };
    SyncDisplay display;
    const auto shown = command.show_progress(
        [&](std::size_t columns) { return display.line(board.snapshot(), columns); });
    auto result = once.run(command.stop());
    if (!result) {
        return {.outcome = {once.origin, std::move(result.error())}, .document = {}};
    }
    return {.outcome = outcome_of(result->exit_code, std::move(result->error)),
            .document = std::move(result->document)};
}

}  // namespace

SyncEnd run_sync(Command& command, const service::SyncRequest& request) {
    if (const auto service = command.running_service()) {
        return hand_over(command, *service, request);
    }
    SyncEnd end = sync_here(command, request);
    if (end.outcome.code == ExitCode::in_use) {
        // Perhaps by a service that was still starting.
        if (const auto service = command.running_service()) {
            return hand_over(command, *service, request);
        }
    }
    return end;
}

}  // namespace openarchiver::cli
