#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "cli/signals.hpp"
#include "cli/verbs.hpp"

namespace openarchiver::cli {

namespace {

/// Several hundred threads read upstream at the same time; each needs little.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kThreadStack = 4096U << 10U;
#else
constexpr std::size_t kThreadStack = 512U << 10U;
#endif
constexpr int kArenas = 4;

void limit_memory_of_threads() {
    mallopt(M_ARENA_MAX, kArenas);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kThreadStack);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

/// In the order in which help lists them.
void describe(Verb& program) {
    register_serve(program);
    register_sync(program);
    register_source(program);
    register_accounts(program);
    register_folders(program);
    register_forget(program);
    register_hold(program);
    register_retention(program);
    register_approval(program);
    register_status(program);
    register_failures(program);
    register_search(program);
    register_show(program);
    register_export(program);
    register_verify(program);
    register_prove(program);
    register_rebuild(program);
    register_copy(program);
    register_stats(program);
    register_notify(program);
    register_key(program);
    register_plugin(program);
    register_profile(program);
    register_credential(program);
    register_audit(program);
    register_completion(program);
}

Outcome run(Command& command, const Choice& choice) {
    if (choice.needs_profile) {
        if (Outcome loaded = command.load(); loaded.error) {
            return loaded;
        }
    }
    if (choice.audited) {
        auto [action, object] = choice.audited();
        if (!action.empty()) {
            OPENARCHIVER_CHECK(command.audit(std::move(action), std::move(object)));
        }
    }
    return choice.action(command);
}

int run_program(int argument_count, char** arguments) {
    limit_memory_of_threads();
    Globals globals;
    globals.arguments.assign(arguments + 1, arguments + argument_count);
    Choice choice;
    std::optional<Outcome> outcome =
        parse_command_line(argument_count, arguments, globals, choice, describe);
    if (globals.log_level.empty()) {
        globals.log_level = choice.serves ? "info" : "warning";
    }
    if (outcome && !globals.json) {
        // The command line may be wrong before it says --json.
        globals.json = std::ranges::any_of(
            std::span(arguments, static_cast<std::size_t>(argument_count)),
            [](const char* argument) { return std::string_view(argument) == "--json"; });
    }
    StopSignals signals(choice.serves ? Hangup::is_kept : Hangup::stops);
    Command command(globals, signals);
    if (!outcome) {
        outcome = run(command, choice);
    }
    return static_cast<int>(command.finish(*outcome));
}

}  // namespace

}  // namespace openarchiver::cli

int main(int argument_count, char** arguments) {
    return openarchiver::cli::run_program(argument_count, arguments);
}
