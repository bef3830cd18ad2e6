#include <unistd.h>

#include <cstdio>

#include "cli/signals.hpp"
#include "cli/verbs.hpp"
#include "service/service.hpp"

namespace openarchiver::cli {

namespace {

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
    });
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
