#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stop_token>
#include <utility>

#include "api/api.hpp"
#include "cli/signals.hpp"
#include "cli/verbs.hpp"
#include "service/service.hpp"

namespace openarchiver::cli {

namespace {

/// Archiving does not depend on it: where nobody said where to listen, it may be left out.
sdk::Result<std::shared_ptr<void>> open_api(Command& command, service::Service& service) {
    auto opened = api::Api::open(service);
    if (opened) {
        return std::shared_ptr<void>(std::move(*opened));
    }
    if (command.profile().service.listen_given) {
        return opened.error();
    }
    command.log()->warn(
        "OA-1015 {}; going on without it. service.listen in the profile gives another "
        "address",
        opened.error().message);
    return std::shared_ptr<void>();
}

Outcome serve(Command& command) {
    service::Service service({
        .profile = command.profile(),
        .plugins = command.plugins(),
        .log = command.log(),
        .clock = command.clock(),
        .announce = [&](std::string_view text) { command.announce(text); },
        .abandoned =
            [] {
                std::fflush(nullptr);
                ::_exit(static_cast<int>(ExitCode::done));
            },
        .open_front =
            [&](service::Service& served) {
                auto front = open_api(command, served);
                // Whoever started it (systemd's Type=notify) learns that it serves; else nothing.
                if (front) {
                    sd_notify(0, "READY=1");
                }
                return front;
            },
    });
    const std::stop_callback stopping(command.stop(), [] { sd_notify(0, "STOPPING=1"); });
    command.signals().on_hangup([&] { service.reload(); });
    const sdk::Status served = service.run(command.stop());
    command.signals().on_hangup({});
    if (!served && served.error().code != sdk::Errc::cancelled) {
        return served.error();
    }
    return ExitCode::done;
}

}  // namespace

void register_serve(Verb& program) {
    program
        .verb("serve",
              "Runs every source on its schedule until SIGTERM or SIGINT; SIGHUP reloads the "
              "profile.")
        .service(serve);
}

}  // namespace openarchiver::cli
