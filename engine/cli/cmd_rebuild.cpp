#include <atomic>
#include <boost/json.hpp>
#include <utility>

#include "cli/document.hpp"
#include "cli/screen.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/control_client.hpp"
#include "service/index_filling.hpp"
#include "service/rebuild.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

Outcome finish(Command& command, const std::string& document) {
    if (command.json()) {
        command.document(document);
        return ExitCode::done;
    }
    const auto value = parse_document(document);
    command.print("rebuilt the catalog from " + count_text(number_of(value, "segments")) +
                  " segments: " + count_text(number_of(value, "accounts")) + " accounts, " +
                  count_text(number_of(value, "items")) + " items, " +
                  count_text(number_of(value, "versions")) + " versions\n");
    if (const std::string problem = text_of(value, "problem"); !problem.empty()) {
        command.print("not all that was archived: " + problem + "\n");
    }
    return ExitCode::done;
}

Outcome run_rebuild(Command& command, bool accept_lost_keys) {
    std::atomic<std::uint64_t> segments = 0;
    const auto line = [&](std::size_t columns) {
        return fit("rebuilding: " + count_text(segments) + " segments read", columns);
    };
    if (const auto service = command.running_service()) {
        auto shown = command.show_progress(line);
        OPENARCHIVER_TRY(
            auto answer,
            service->call(
                "rebuild", json::serialize(json::object{{"accept_lost_keys", accept_lost_keys}}),
                [&](std::string_view json_text) {
                    segments = number_of(parse_document(json_text), "segments");
                },
                command.stop()));
        shown.reset();
        if (answer.error) {
            Outcome outcome = answer.exit_code;
            outcome.error = std::move(answer.error);
            return outcome;
        }
        return finish(command, answer.document);
    }
    auto shown = command.show_progress(line);
    OPENARCHIVER_TRY(const auto rebuilt,
                     service::rebuild(
                         command.context(),
                         accept_lost_keys ? access::LostKeys::accept : access::LostKeys::refuse,
                         [&](std::uint64_t count) { segments = count; }, command.stop()));
    shown.reset();
    std::atomic<std::uint64_t> versions = 0;
    shown = command.show_progress([&](std::size_t columns) {
        const std::uint64_t count = versions;
        return fit(count == 0 ? "filling the search index"
                              : "filling the search index: " + count_text(count) + " versions",
                   columns);
    });
    OPENARCHIVER_CHECK(service::fill_index(
        command.context(), *rebuilt.writer, [&](std::uint64_t count) { versions = count; },
        command.stop()));
    shown.reset();
    return finish(command, rebuilt.document);
}

}  // namespace

void register_rebuild(Verb& program) {
    Verb verb = program.verb("rebuild",
                             "Makes the catalog and the search index anew from the storage backend "
                             "alone.");
    const auto accept = std::make_shared<bool>(false);
    verb.flag("--accept-lost-keys", *accept,
              "go on, for good, without mail whose keys are gone: the newest keyring is lost");
    verb.action([accept](Command& command) { return run_rebuild(command, *accept); });
}

}  // namespace openarchiver::cli
