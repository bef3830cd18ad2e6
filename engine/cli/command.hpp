#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "plugin/plugin_host.hpp"
#include "profile/profile.hpp"
#include "service/exit_code.hpp"

/// What every verb of the program works with.
///
/// A verb is one file, cmd_<verb>.cpp, that defines `void register_<verb>(Verb& program)`;
/// verbs.hpp declares it and main.cpp lists it. It describes its command line and sets its action:
///
///     void register_show(Verb& program) {
///         struct Options {
///             std::string ref;
///             bool raw = false;
///         };
///         const auto options = std::make_shared<Options>();  // shared: filled here, used in the
///         action Verb verb = program.verb("show", "Shows one archived item with its history.");
///         verb.argument("REF", options->ref, "the item, as lists and exports name it");
///         verb.flag("--raw", options->raw, "write its exact bytes to standard output");
///         verb.action([options](Command& command) { return show(command, *options); });
///     }
///
/// The action of verb.action() finds a valid profile and loaded plugins; without_profile() is for
/// the few verbs that work without. It returns an Outcome: an ExitCode, or an sdk::Error (which the
/// program prints), by default with Origin::archive; so OPENARCHIVER_TRY and OPENARCHIVER_CHECK
/// work in it. Documents are built with Boost.JSON in the .cpp and handed over as text.
namespace openarchiver::service {
class ControlClient;
}

namespace openarchiver::cli {

using service::ExitCode;
using service::Origin;

class Screen;
class StopSignals;
class ProgressDisplay;

/// What a verb ends with.
struct Outcome {
    Outcome(ExitCode exit_code) : code(exit_code) {}  // NOLINT: implicit

    Outcome(sdk::Error failure)  // NOLINT: implicit
        : Outcome(Origin::archive, std::move(failure)) {}

    Outcome(Origin origin, sdk::Error failure)
        : code(service::exit_code(origin, failure.code)), error(std::move(failure)) {}

    /// What was asked for makes no sense: exit code 2.
    static Outcome usage(std::string message) {
        return {Origin::profile,
                {.code = sdk::Errc::invalid_argument, .message = std::move(message)}};
    }

    ExitCode code;
    std::optional<sdk::Error> error;
};

/// A problem of the profile as documents show it, JSON text.
[[nodiscard]] std::string problem_document(const profile::Problem& problem);

struct Globals {
    /// From --profile, OPENARCHIVER_PROFILE or ./openarchiver.json; empty: none of them.
    std::filesystem::path profile;
    bool json = false;
    /// Empty on the command line: the verb's own default.
    std::string log_level;
    std::string log_format = "text";
    /// As typed, without the program's name.
    std::vector<std::string> arguments;
};

class Command {
public:
    /// `globals.log_level` is set.
    Command(Globals globals, StopSignals& signals);
    ~Command();
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    [[nodiscard]] const Globals& globals() const { return globals_; }

    [[nodiscard]] bool json() const { return globals_.json; }

    /// Triggered by SIGINT and SIGTERM; a second signal ends the program at once.
    [[nodiscard]] std::stop_token stop() const;

    [[nodiscard]] StopSignals& signals() { return signals_; }

    [[nodiscard]] sdk::Clock& clock() { return clock_; }

    [[nodiscard]] const std::shared_ptr<spdlog::logger>& log() const { return log_; }

    [[nodiscard]] Screen& screen() { return *screen_; }

    /// Loads plugins, then the profile; an error carries exit code 2 and was explained in
    /// problems(). Called by the program before the action.
    Outcome load();
    /// Loads the plugins beside the program, and those of the profile if it names folders.
    const plugin::PluginHost& load_plugins();

    [[nodiscard]] const profile::Profile& profile() const { return *profile_; }

    [[nodiscard]] const plugin::PluginHost& plugins() const { return *plugins_; }

    [[nodiscard]] const std::vector<profile::Problem>& problems() const { return problems_; }

    /// Writes down what the verb does, before it does it; nothing where there is no archive yet. On
    /// an error the verb does and shows nothing.
    sdk::Status audit(std::string action, std::string object = {});

    [[nodiscard]] access::Context context();
    /// not_found: nothing was archived yet; the message says what to do. corrupt: the catalog is
    /// damaged, or missing although there is an archive.
    sdk::Result<std::unique_ptr<catalog::CatalogReader>> open_catalog();
    /// The same, but null where nothing was archived yet.
    sdk::Result<std::unique_ptr<catalog::CatalogReader>> open_catalog_if_any();
    /// A source that neither the profile nor the archive knows is a mistake of whoever typed it.
    Outcome check_sources(catalog::CatalogReader& catalog, const std::vector<std::string>& ids);
    sdk::Result<std::unique_ptr<access::ArchiveReader>> open_reader();
    /// Announcements go to the screen. already_exists: in use by another engine.
    sdk::Result<std::unique_ptr<access::ArchiveWriter>> open_writer();
    /// The service that has this catalog open; null where none answers.
    std::unique_ptr<service::ControlClient> running_service();

    /// Prints the verb's one document, or one of its lines (compact JSON, without line break).
    /// Only with json().
    void document(std::string_view json_text);
    /// Prints text for people, as it is; only without json().
    void print(std::string_view text);
    /// Writes bytes to standard output as they are.
    sdk::Status write(std::span<const std::byte> bytes);
    /// Tells people something on stderr, whatever the log level.
    void announce(std::string_view text);

    /// Shows `render(columns)` while the result lives: five times a second in place on a terminal,
    /// a line every five seconds elsewhere, nothing with json() unless stderr is a terminal.
    /// `render` runs on the display's thread and returns one line.
    std::unique_ptr<ProgressDisplay> show_progress(std::function<std::string(std::size_t)> render);

    /// Prints what ended the verb (an error document with json() unless the verb's own document was
    /// printed, text on stderr always) and returns the exit code.
    ExitCode finish(const Outcome& outcome);

private:
    Globals globals_;
    StopSignals& signals_;
    std::unique_ptr<Screen> screen_;
    std::shared_ptr<spdlog::logger> log_;  // shared with plugins, as spdlog wants it
    plugin::SystemClock clock_;
    std::unique_ptr<sdk::Logger> plugin_log_;
    std::unique_ptr<plugin::PluginHost> plugins_;
    std::optional<profile::Profile> profile_;
    std::vector<profile::Problem> problems_;
    bool document_printed_ = false;
    bool output_failed_ = false;
};

}  // namespace openarchiver::cli
