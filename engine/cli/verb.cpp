#include "cli/verb.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <openarchiver/sdk/abi.hpp>
#include <string_view>
#include <utility>

#include "cli/logging.hpp"
#include "profile/nearest.hpp"

namespace openarchiver::cli {

namespace {

constexpr const char* kDefaultProfile = "openarchiver.json";

std::filesystem::path profile_from_surroundings() {
    if (const char* const named = std::getenv("OPENARCHIVER_PROFILE");
        named != nullptr && *named != '\0') {
        return named;
    }
    std::error_code ignored;
    return std::filesystem::exists(kDefaultProfile, ignored) ? kDefaultProfile
                                                             : std::filesystem::path();
}

/// The verb that the command line got to.
const CLI::App& deepest(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? app : deepest(*chosen.front());
}

/// "openarchiver source check"
std::string full_name(const CLI::App& app) {
    const CLI::App* const parent = app.get_parent();
    return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

void collect_options(const CLI::App& app, std::vector<std::string>& names) {
    for (const CLI::Option* const option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    if (app.get_parent() != nullptr) {
        collect_options(*app.get_parent(), names);
    }
}

std::vector<std::string> verb_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(verb->get_name());
    }
    return names;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

/// What to say about an argument that nobody expected.
std::string unexpected(const CLI::App& verb, const std::string& word) {
    if (word.starts_with("-")) {
        std::vector<std::string> names;
        collect_options(verb, names);
        const std::string_view near = profile::nearest(word.substr(0, word.find('=')), names);
        return "unknown option " + word +
               (near.empty() ? std::string() : "; did you mean " + std::string(near) + "?");
    }
    const std::vector<std::string> names = verb_names(verb);
    if (names.empty()) {
        return "\"" + word + "\" is one argument too many";
    }
    const std::string_view near = profile::nearest(word, names);
    return "unknown verb \"" + word + "\"" +
           (near.empty() ? "; there are " + joined(names)
                         : "; did you mean \"" + std::string(near) + "\"?");
}

Outcome usage_error(const CLI::App& app, const CLI::ParseError& failure) {
    const CLI::App& verb = deepest(app);
    std::string message;
    const std::vector<std::string> extra = app.remaining(true);
    if (dynamic_cast<const CLI::ExtrasError*>(&failure) != nullptr && !extra.empty()) {
        message = unexpected(verb, extra.front());
    } else if (dynamic_cast<const CLI::RequiredError*>(&failure) != nullptr &&
               !verb_names(verb).empty()) {
        // An unknown verb counts as a missing one.
        message = extra.empty() ? "a verb is missing; there are " + joined(verb_names(verb))
                                : unexpected(verb, extra.front());
    } else {
        message = failure.what();
    }
    return Outcome::usage(message + "\nSee `" + full_name(verb) + " --help`.");
}

/// An empty value would mean as much as no option at all: everything, often.
std::string says_something(const std::string& value) {
    return value.empty() ? "the value is empty" : "";
}

/// CLI11 takes a negative number for a large one.
std::string is_not_negative(const std::string& value) {
    return value.starts_with('-') ? "the number is negative" : "";
}

}  // namespace

Verb Verb::verb(const std::string& name, const std::string& help) {
    CLI::App* const app = app_->add_subcommand(name, help);
    app->fallthrough();
    app_->require_subcommand(1);
    return {*app, *choice_};
}

void Verb::flag(const std::string& name, bool& target, const std::string& help) {
    app_->add_flag(name, target, help);
}

void Verb::option(const std::string& name, std::string& target, const std::string& value_name,
                  const std::string& help) {
    app_->add_option(name, target, help)->option_text(value_name)->check(says_something);
}

void Verb::option(const std::string& name, std::optional<std::string>& target,
                  const std::string& value_name, const std::string& help) {
    app_->add_option(name, target, help)->option_text(value_name)->check(says_something);
}

void Verb::option(const std::string& name, std::optional<std::uint64_t>& target,
                  const std::string& value_name, const std::string& help) {
    app_->add_option(name, target, help)->option_text(value_name)->check(is_not_negative);
}

void Verb::option(const std::string& name, std::vector<std::string>& target,
                  const std::string& value_name, const std::string& help) {
    app_->add_option(name, target, help)
        ->allow_extra_args(false)
        ->option_text(value_name)
        ->check(says_something);
}

void Verb::list(const std::string& name, std::vector<std::string>& target,
                const std::string& value_name, const std::string& help) {
    app_->add_option(name, target, help)->option_text(value_name + "...")->check(says_something);
}

void Verb::choice(const std::string& name, std::string& target,
                  const std::vector<std::string>& choices, bool required, const std::string& help) {
    std::string text;
    for (const std::string& value : choices) {
        text += (text.empty() ? "" : "|") + value;
    }
    app_->add_option(name, target, help)
        ->check(CLI::IsMember(choices))
        ->required(required)
        ->option_text(text);
}

void Verb::argument(const std::string& value_name, std::string& target, const std::string& help) {
    app_->add_option(value_name, target, help)->required()->option_text(" ")->check(says_something);
}

void Verb::optional_argument(const std::string& value_name, std::optional<std::string>& target,
                             const std::string& help) {
    app_->add_option(value_name, target, help)->option_text(" ");
}

void Verb::required(const std::string& name) {
    app_->get_option(name)->required();
}

void Verb::audited(std::function<AuditedAct()> what) {
    audited_ = std::move(what);
}

void Verb::audited(std::string action) {
    audited_ = [action = std::move(action)] { return AuditedAct{action}; };
}

void Verb::action(std::function<Outcome(Command&)> run) {
    app_->callback([run = std::move(run), audited = audited_, choice = choice_] {
        choice->action = run;
        choice->audited = audited;
        choice->needs_profile = true;
    });
}

void Verb::without_profile(std::function<Outcome(Command&)> run) {
    app_->callback([run = std::move(run), choice = choice_] {
        choice->action = run;
        choice->needs_profile = false;
    });
}

void Verb::service(std::function<Outcome(Command&)> run) {
    app_->callback([run = std::move(run), choice = choice_] {
        choice->action = run;
        choice->needs_profile = true;
        choice->serves = true;
    });
}

void Verb::describing(std::function<std::string(const CLI::App& program)> text) {
    app_->callback([text = std::move(text), app = app_, choice = choice_] {
        const CLI::App* program = app;
        while (program->get_parent() != nullptr) {
            program = program->get_parent();
        }
        choice->action = [printed = text(*program)](Command& command) -> Outcome {
            command.print(printed);
            return ExitCode::done;
        };
        choice->needs_profile = false;
    });
}

std::optional<Outcome> parse_command_line(int argument_count, char** arguments, Globals& globals,
                                          Choice& choice,
                                          const std::function<void(Verb&)>& describe) {
    CLI::App app("Archives an organisation's mail: complete, exact and verifiable.",
                 "openarchiver");
    std::string profile;
    app.add_option("--profile", profile,
                   "the profile; default: $OPENARCHIVER_PROFILE, else ./openarchiver.json")
        ->option_text("FILE");
    app.add_flag("--json", globals.json, "print one JSON document (or lines of JSON)");
    app.add_option(
           "--log-level", globals.log_level,
           "trace, debug, info, warning, error or off; default: info with serve, else warning")
        ->check(
            CLI::IsMember(std::vector<std::string>(std::begin(kLogLevels), std::end(kLogLevels))))
        ->option_text("LEVEL");
    app.add_option("--log-format", globals.log_format, "text, or json: an object on each line")
        ->check(
            CLI::IsMember(std::vector<std::string>(std::begin(kLogFormats), std::end(kLogFormats))))
        ->option_text("FORMAT");
    app.set_version_flag("--version", "openarchiver " OPENARCHIVER_SDK_VERSION);
    app.get_formatter()->label("SUBCOMMAND", "VERB");
    app.get_formatter()->label("SUBCOMMANDS", "VERBS");
    app.get_formatter()->label("Subcommand", "Verb");
    app.get_formatter()->label("Subcommands", "Verbs");
    Verb program(app, choice);
    describe(program);
    try {
        app.parse(argument_count, arguments);
    } catch (const CLI::Success& done) {
        app.exit(done);
        return Outcome(ExitCode::done);
    } catch (const CLI::ParseError& failure) {
        return usage_error(app, failure);
    }
    globals.profile =
        profile.empty() ? profile_from_surroundings() : std::filesystem::path(profile);
    return std::nullopt;
}

}  // namespace openarchiver::cli
