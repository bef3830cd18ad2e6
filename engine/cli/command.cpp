#include "cli/command.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <utility>

#include "access/kept_sources.hpp"
#include "cli/logging.hpp"
#include "cli/screen.hpp"
#include "cli/signals.hpp"
#include "plugin/host_services.hpp"
#include "service/archive_has_log.hpp"
#include "service/audit.hpp"
#include "service/control_client.hpp"
#include "service/person.hpp"
#include "service/sync_request.hpp"

namespace openarchiver::cli {

std::string problem_document(const profile::Problem& problem) {
    return boost::json::serialize(boost::json::object{
        {"severity", problem.severity == profile::Severity::error ? "error" : "warning"},
        {"pointer", problem.pointer},
        {"message", problem.message},
        {"suggestion", problem.suggestion}});
}

Command::Command(Globals globals, StopSignals& signals)
    : globals_(std::move(globals)),
      signals_(signals),
      screen_(std::make_unique<Screen>()),
      log_(make_logger(*screen_, globals_.log_level, globals_.log_format)),
      plugin_log_(std::make_unique<plugin::SpdlogLogger>(log_, "plugins")) {}

Command::~Command() = default;

std::stop_token Command::stop() const {
    return signals_.token();
}

const plugin::PluginHost& Command::load_plugins() {
    if (!plugins_) {
        plugins_ = std::make_unique<plugin::PluginHost>(*plugin_log_);
        const profile::PluginSettings settings = profile::read_plugin_settings(globals_.profile);
        if (settings.sha256) {
            plugins_->allow_only(*settings.sha256);
        }
        plugins_->load_all(plugin::plugin_search_path(settings.path));
    }
    return *plugins_;
}

Outcome Command::load() {
    if (globals_.profile.empty()) {
        return Outcome::usage(
            "no profile: there is no openarchiver.json here; name one with --profile FILE or "
            "OPENARCHIVER_PROFILE");
    }
    profile::ProfileResult loaded = profile::load_profile(globals_.profile, &load_plugins());
    problems_ = std::move(loaded.problems);
    profile_ = std::move(loaded.profile);
    for (const profile::Problem& problem : problems_) {
        announce(profile::to_text(problem));
    }
    if (!profile_) {
        return {Origin::profile,
                {.code = sdk::Errc::invalid_config,
                 .message = "the profile " + globals_.profile.string() +
                            " has errors; nothing was started"}};
    }
    // A catalog that can't be read is for the verb to report, if it needs it.
    if (const auto catalog = catalog::CatalogReader::open(profile_->archive.catalog_path)) {
        if (const auto taken = access::take_kept_sources(*profile_, **catalog); !taken) {
            announce(taken.error().message);
        }
    }
    return ExitCode::done;
}

sdk::Status Command::audit(std::string action, std::string object) {
    const auto& folder = profile_->archive.catalog_path;
    std::error_code none;
    if (!std::filesystem::is_directory(folder, none)) {
        return {};
    }
    const auto& arguments = globals_.arguments;
    return service::AuditJournal(folder).append(
        {.by = service::system_user(::geteuid()).by,
         .role = {},
         .action = std::move(action),
         .object = std::move(object),
         .detail = {{"arguments", boost::json::array(arguments.begin(), arguments.end())}}},
        clock_);
}

access::Context Command::context() {
    return {.profile = *profile_, .plugins = *plugins_, .log = log_, .clock = clock_};
}

sdk::Result<std::unique_ptr<catalog::CatalogReader>> Command::open_catalog() {
    OPENARCHIVER_TRY(auto catalog, open_catalog_if_any());
    if (!catalog) {
        return sdk::Error{.code = sdk::Errc::not_found,
                          .message = "nothing was archived yet: run `openarchiver sync` first"};
    }
    return catalog;
}

sdk::Result<std::unique_ptr<catalog::CatalogReader>> Command::open_catalog_if_any() {
    auto catalog = catalog::CatalogReader::open(profile_->archive.catalog_path);
    if (catalog || catalog.error().code != sdk::Errc::not_found) {
        return catalog;
    }
    OPENARCHIVER_TRY(const bool has_log, service::archive_has_log(context(), stop()));
    if (has_log) {
        return sdk::Error{
            .code = sdk::Errc::corrupt,
            .message = catalog.error().message +
                       ", but there is an archive: make the catalog anew from it "
                       "with `openarchiver rebuild`, or correct archive.catalog.path"};
    }
    return std::unique_ptr<catalog::CatalogReader>();
}

Outcome Command::check_sources(catalog::CatalogReader& catalog,
                               const std::vector<std::string>& ids) {
    for (const auto& id : ids) {
        if (std::ranges::find(profile_->sources, id, &profile::Source::id) ==
                profile_->sources.end() &&
            !catalog.source(id)) {
            return {Origin::profile, service::unknown_source(*profile_, id)};
        }
    }
    return ExitCode::done;
}

sdk::Result<std::unique_ptr<access::ArchiveReader>> Command::open_reader() {
    return access::ArchiveReader::open(context(), stop());
}

sdk::Result<std::unique_ptr<access::ArchiveWriter>> Command::open_writer() {
    return access::ArchiveWriter::open(
        context(), [this](std::string_view text) { announce(text); }, stop());
}

std::unique_ptr<service::ControlClient> Command::running_service() {
    return service::ControlClient::connect(profile_->archive.catalog_path);
}

void Command::document(std::string_view json_text) {
    print(std::string(json_text) + "\n");
    document_printed_ = true;
}

void Command::print(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
        output_failed_ = true;
    }
}

sdk::Status Command::write(std::span<const std::byte> bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
        output_failed_ = true;
        return sdk::Error{
            .code = sdk::Errc::resource_exhausted,
            .message = std::string("standard output can't be written: ") + std::strerror(errno)};
    }
    return {};
}

void Command::announce(std::string_view text) {
    screen_->print(std::string(text) + "\n");
}

std::unique_ptr<ProgressDisplay> Command::show_progress(
    std::function<std::string(std::size_t)> render) {
    const bool shown = screen_->terminal() || !json();
    return std::make_unique<ProgressDisplay>(shown ? screen_.get() : nullptr, std::move(render));
}

ExitCode Command::finish(const Outcome& outcome) {
    if (outcome.error) {
        const sdk::Error& error = *outcome.error;
        announce("openarchiver: " + error.message);
        if (json() && !document_printed_) {
            boost::json::array problems;
            for (const profile::Problem& problem : problems_) {
                problems.push_back(boost::json::parse(problem_document(problem)));
            }
            boost::json::object body{{"code", sdk::to_string(error.code)},
                                     {"message", error.message},
                                     {"exit_code", static_cast<int>(outcome.code)}};
            if (!error.request_id.empty()) {
                body["request_id"] = error.request_id;
            }
            if (!problems.empty()) {
                body["problems"] = std::move(problems);
            }
            document(boost::json::serialize(boost::json::object{{"error", std::move(body)}}));
        }
    }
    if (std::fflush(stdout) != 0 || output_failed_) {
        announce("openarchiver: standard output could not be written");
        return outcome.code == ExitCode::done ? ExitCode::with_failures : outcome.code;
    }
    return outcome.code;
}

}  // namespace openarchiver::cli
