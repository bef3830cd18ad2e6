#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "pipeline/sync.hpp"
#include "service/documents.hpp"
#include "service/sync_request.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string list_text(const json::value& document) {
    Table table({{"ID"},
                 {"NAME", Table::Align::left, 40},
                 {"PROVIDER"},
                 {"EVERY"},
                 {"STATUS"},
                 {"LAST GOOD RUN"}});
    std::string notes;
    for (const json::value& source : list_of(document, "sources")) {
        table.row({text_of(source, "id"), text_of(source, "name"), text_of(source, "provider"),
                   duration_text(std::chrono::seconds(number_of(source, "every_seconds"))),
                   text_of(source, "status"), time_of(source, "good_run_at")});
        if (const std::string reason = text_of(source, "reason"); !reason.empty()) {
            notes += text_of(source, "id") + ": " + plain(reason) + "\n";
        }
    }
    return (table.empty() ? std::string("The profile has no sources.\n") : table.text()) + notes;
}

Outcome list(Command& command) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    OPENARCHIVER_TRY(json::value document,
                     service::sources_document(catalog.get(), command.profile(),
                                               live ? &live->sources : nullptr, command.clock()));
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(list_text(document));
    }
    return ExitCode::done;
}

std::string_view outcome_name(sdk::CheckOutcome outcome) {
    switch (outcome) {
        case sdk::CheckOutcome::pass:
            return "pass";
        case sdk::CheckOutcome::fail:
            return "fail";
        case sdk::CheckOutcome::unknown:
            return "unknown";
    }
    return "unknown";
}

json::value check_document(const std::string& source, const std::vector<sdk::Check>& checks,
                           bool passed) {
    json::array list;
    for (const sdk::Check& check : checks) {
        json::object one{{"name", check.name},
                         {"outcome", outcome_name(check.outcome)},
                         {"detail", check.detail},
                         {"remedy", check.remedy},
                         {"code", nullptr}};
        if (check.outcome == sdk::CheckOutcome::fail) {
            one["code"] = sdk::to_string(check.code);
        }
        list.push_back(std::move(one));
    }
    return {{"source", source}, {"passed", passed}, {"checks", std::move(list)}};
}

std::string check_text(const std::vector<sdk::Check>& checks) {
    Table table({{"CHECK"}, {"OUTCOME"}, {"DETAIL"}, {"WHAT TO DO"}});
    for (const sdk::Check& check : checks) {
        table.row(
            {check.name, std::string(outcome_name(check.outcome)), check.detail, check.remedy});
    }
    return table.text();
}

/// 3 before 7 before 1, as with a sync.
ExitCode worst_of(const std::vector<sdk::Check>& checks) {
    std::vector<pipeline::SyncReport> reports;
    for (const sdk::Check& check : checks) {
        if (check.outcome == sdk::CheckOutcome::fail) {
            pipeline::SyncReport& report = reports.emplace_back();
            report.error = sdk::Error{.code = check.code, .message = check.detail};
        }
    }
    return service::exit_code(reports);
}

Outcome check(Command& command, const std::string& id) {
    const auto selected = service::select_sources(command.profile(), {id});
    if (!selected) {
        return {Origin::profile, selected.error()};
    }
    const auto source = pipeline::open_source(command.context(), *selected->front(), nullptr);
    if (!source) {
        return {Origin::upstream, source.error()};
    }
    const auto checks = (*source)->session->check(command.stop());
    if (!checks) {
        return {Origin::upstream, checks.error()};
    }
    const ExitCode code = worst_of(*checks);
    if (command.json()) {
        command.document(json::serialize(check_document(id, *checks, code == ExitCode::done)));
    } else {
        command.print(check_text(*checks));
    }
    return code;
}

}  // namespace

void register_source(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto id = std::make_shared<std::string>();
    Verb source = program.verb("source", "The configured sources.");
    source.verb("list", "Lists the sources with their status.").action(list);
    Verb checking = source.verb("check", "Checks, changing nothing, that a source can be read.");
    checking.argument("ID", *id, "the source");
    checking.action([id](Command& command) { return check(command, *id); });
}

}  // namespace openarchiver::cli
