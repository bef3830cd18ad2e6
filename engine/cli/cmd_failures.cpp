#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/run_sync.hpp"
#include "cli/sync_display.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "pipeline/committer.hpp"
#include "service/accept_failures.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Options {
    bool retry = false;
    std::vector<std::string> accept;
};

/// Of the item that failed, what is in the archive nevertheless.
std::string archived_text(const std::string& fidelity) {
    return fidelity == "exact" ? "earlier version" : fidelity;
}

std::string text(const json::value& document) {
    Table table({{"WHAT"},
                 {"REF"},
                 {"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"FOLDER", Table::Align::left, 40},
                 {"CODE"},
                 {"ARCHIVED"},
                 {"TRIES", Table::Align::right},
                 {"NEXT TRY"},
                 {"REQUEST ID"},
                 {"MESSAGE"}});
    for (const json::value& failure : list_of(document, "failures")) {
        const bool accepted = truth_of(failure, "accepted");
        table.row({text_of(failure, "kind"), text_of(failure, "ref"), text_of(failure, "source"),
                   text_of(failure, "address"), path_of(failure, "folder"),
                   text_of(failure, "code"), archived_text(text_of(failure, "archived")),
                   count_text(number_of(failure, "attempts")),
                   accepted ? "accepted" : time_of(failure, "next_try_at", "with the next sync"),
                   text_of(failure, "request_id"), text_of(failure, "message")});
    }
    if (table.empty()) {
        return "Everything that was found has been archived.\n";
    }
    return table.text() + count_text(number_of(document, "outstanding")) + " outstanding, " +
           count_text(number_of(document, "accepted")) + " accepted\n";
}

/// In the service that has the catalog open, or here.
Outcome accept(Command& command, const std::vector<std::string>& refs) {
    if (const auto service = command.running_service()) {
        return hand_over(command, *service, "failures", service::accept_options(refs)).outcome;
    }
    OPENARCHIVER_TRY(const auto writer, command.open_writer());
    pipeline::Committer committer(*writer, command.clock(), command.log());
    OPENARCHIVER_CHECK(
        service::accept_failures(refs, *writer, committer, command.clock(), command.stop()));
    return ExitCode::done;
}

Outcome failures(Command& command, const Options& options) {
    if (!options.accept.empty()) {
        if (Outcome accepted = accept(command, options.accept); accepted.error) {
            return accepted;
        }
    }
    Outcome outcome = ExitCode::done;
    std::string sync_document;
    if (options.retry) {
        SyncEnd end = run_sync(
            command, {.sources = {}, .accounts = {}, .reconcile = false, .retry_failures = true});
        if (end.document.empty()) {
            return std::move(end.outcome);
        }
        outcome = std::move(end.outcome);
        sync_document = std::move(end.document);
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    json::value document =
        json::object{{"failures", json::array()}, {"outstanding", 0}, {"accepted", 0}};
    if (catalog) {
        const auto live = ask_service(command);
        OPENARCHIVER_TRY(document,
                         service::failures_document(*catalog, live ? &live->sources : nullptr));
    }
    if (command.json()) {
        if (!sync_document.empty()) {
            document.as_object()["sync"] = json::parse(sync_document);
        }
        command.document(json::serialize(document));
    } else {
        command.print((sync_document.empty() ? "" : sync_summary(sync_document) + "\n") +
                      text(document));
    }
    if (outcome.code == ExitCode::done && number_of(document, "outstanding") > 0) {
        return ExitCode::with_failures;
    }
    return outcome;
}

}  // namespace

void register_failures(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto options = std::make_shared<Options>();
    Verb verb = program.verb("failures", "Lists everything that could not be archived.");
    verb.flag("--retry", options->retry, "try all of it again now");
    verb.list("--accept", options->accept, "REF",
              "these stay listed, but no longer count: nothing is to be done about them");
    verb.audited([options] {
        return AuditedAct{!options->accept.empty() ? "accept_failures"
                          : options->retry         ? "retry_failures"
                                                   : ""};
    });
    verb.action([options](Command& command) { return failures(command, *options); });
}

}  // namespace openarchiver::cli
