#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace CLI {
class App;
}

namespace openarchiver::cli {

/// What the audit trail says of a verb; no action: nothing.
struct AuditedAct {
    std::string action;
    std::string object = {};
};

/// What the command line chose.
struct Choice {
    std::function<Outcome(Command&)> action;
    std::function<AuditedAct()> audited;
    bool needs_profile = true;
    /// Logs at level info by default, and SIGHUP does not stop it.
    bool serves = false;
};

/// The command line of a verb, while it is being described. Targets must live until the action ran.
class Verb {
public:
    Verb(CLI::App& app, Choice& choice) : app_(&app), choice_(&choice) {}

    /// A verb below this one ("source check" below "source").
    Verb verb(const std::string& name, const std::string& help);

    void flag(const std::string& name, bool& target, const std::string& help);
    /// `value_name` is what help calls the value: "FILE".
    void option(const std::string& name, std::string& target, const std::string& value_name,
                const std::string& help);
    void option(const std::string& name, std::optional<std::string>& target,
                const std::string& value_name, const std::string& help);
    void option(const std::string& name, std::optional<std::uint64_t>& target,
                const std::string& value_name, const std::string& help);
    /// May be given more than once, each time with one value.
    void option(const std::string& name, std::vector<std::string>& target,
                const std::string& value_name, const std::string& help);
    /// Takes all values up to the next option.
    void list(const std::string& name, std::vector<std::string>& target,
              const std::string& value_name, const std::string& help);
    /// One of `choices`, which help lists; the verb does not start without it if `required`.
    void choice(const std::string& name, std::string& target,
                const std::vector<std::string>& choices, bool required, const std::string& help);
    /// A required value by its position.
    void argument(const std::string& value_name, std::string& target, const std::string& help);
    /// ... and one that may be left out.
    void optional_argument(const std::string& value_name, std::optional<std::string>& target,
                           const std::string& help);
    /// Makes the last described option required.
    void required(const std::string& name);

    /// Before action(): what is written down before the action runs, which it does not otherwise.
    void audited(std::function<AuditedAct()> what);
    void audited(std::string action);
    void action(std::function<Outcome(Command&)> run);
    void without_profile(std::function<Outcome(Command&)> run);
    /// For `serve`: logs at level info by default, and SIGHUP does not stop it.
    void service(std::function<Outcome(Command&)> run);
    /// Prints what `text` makes of the whole command line; needs no profile.
    void describing(std::function<std::string(const CLI::App& program)> text);

private:
    CLI::App* app_;
    Choice* choice_;
    std::function<AuditedAct()> audited_;
};

/// Parses the command line. An Outcome where nothing is left to do: help was printed, or the usage
/// is wrong (the hint is in its error).
std::optional<Outcome> parse_command_line(int argument_count, char** arguments, Globals& globals,
                                          Choice& choice,
                                          const std::function<void(Verb&)>& describe);

}  // namespace openarchiver::cli
