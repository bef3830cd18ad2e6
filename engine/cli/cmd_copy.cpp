#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <mutex>
#include <utility>

#include "access/open_store.hpp"
#include "cli/screen.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "copy/copy.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string progress_line(const copy::Progress& progress) {
    if (progress.segments_total != 0) {
        return "copying: segment " + count_text(progress.segments) + " of " +
               count_text(progress.segments_total);
    }
    if (progress.packs_total != 0) {
        return "copying: " + count_text(progress.packs) + " packs, " + size_text(progress.bytes) +
               "; the archive has " + count_text(progress.packs_total) + " packs";
    }
    return "copying: listing packs";
}

std::string document_of(const copy::Report& report, double seconds) {
    const auto count = [](const copy::Count& of) {
        return json::object{{"total", of.total}, {"copied", of.copied}};
    };
    return json::serialize(json::object{{"archive", report.archive_id},
                                        {"complete", report.damage.empty()},
                                        {"packs", count(report.packs)},
                                        {"segments", count(report.segments)},
                                        {"others", count(report.others)},
                                        {"keyring_copied", report.keyring_copied},
                                        {"bytes_copied", report.bytes_copied},
                                        {"damage", json::value_from(report.damage)},
                                        {"seconds", std::round(seconds * 10) / 10}});
}

void print_report(Command& command, const copy::Report& report) {
    for (const auto& damage : report.damage) {
        command.print("DAMAGE " + plain(damage) + "\n");
    }
    command.print("copied " + count_text(report.packs.copied) + " of " +
                  count_text(report.packs.total) + " packs and " +
                  count_text(report.segments.copied) + " of " + count_text(report.segments.total) +
                  " segments, " + size_text(report.bytes_copied) + "\n");
    command.print(
        report.damage.empty()
            ? "the copy has all that the archive has; it opens with the archive's key, and "
              "`openarchiver verify` with its profile reads it back\n"
            : "the copy is NOT whole: bring these objects back from another copy of the "
              "archive and copy again\n");
}

Outcome run_copy(Command& command, const std::string& target_file) {
    auto target = profile::load_profile(target_file, &command.plugins());
    for (const auto& problem : target.problems) {
        command.announce(target_file + ": " + profile::to_text(problem));
    }
    if (!target.profile) {
        return {Origin::profile,
                {.code = sdk::Errc::invalid_config,
                 .message = "the profile " + target_file + " has errors; nothing was copied"}};
    }
    access::Context to = {.profile = *target.profile,
                          .plugins = command.plugins(),
                          .log = command.log(),
                          .clock = command.clock()};
    const auto spool_folder = target.profile->archive.catalog_path / "spool";
    std::error_code failure;
    std::filesystem::create_directories(spool_folder, failure);
    if (failure) {
        return sdk::Error{.code = sdk::Errc::permission_denied,
                          .message = "can't create the folder " + spool_folder.string() + ": " +
                                     failure.message()};
    }
    const auto started = command.clock().steady_now();
    OPENARCHIVER_TRY(
        const auto source,
        access::open_store(command.context(), access::Purpose::reading, command.stop()));
    OPENARCHIVER_TRY(const auto sink,
                     access::open_store(to, access::Purpose::writing, command.stop()));
    std::mutex mutex;  // guards seen
    copy::Progress seen;
    auto report = [&] {
        const auto shown = command.show_progress([&](std::size_t columns) {
            const std::lock_guard lock(mutex);
            return fit(progress_line(seen), columns);
        });
        return copy::run(
            *source.store, *sink.store, {.spool_folder = spool_folder, .clock = command.clock()},
            [&](const copy::Progress& progress) {
                const std::lock_guard lock(mutex);
                seen = progress;
            },
            command.stop());
    }();
    if (!report) {
        return std::move(report.error());
    }
    if (command.json()) {
        const std::chrono::duration<double> seconds = command.clock().steady_now() - started;
        command.document(document_of(*report, seconds.count()));
    } else {
        print_report(command, *report);
    }
    return report->damage.empty() ? ExitCode::done : ExitCode::damage_found;
}

}  // namespace

void register_copy(Verb& program) {
    const auto target = std::make_shared<std::string>();  // shared: filled here, used in the action
    Verb verb = program.verb(
        "copy", "Makes or refreshes a second copy of the archive, on any storage backend.");
    verb.option("--to", *target, "PROFILE", "the profile whose storage takes the copy");
    verb.required("--to");
    verb.action([target](Command& command) { return run_copy(command, *target); });
}

}  // namespace openarchiver::cli
