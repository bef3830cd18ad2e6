#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/status_document.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string running_text(const json::value& source) {
    const json::array& runs = list_of(member(source, "progress"), "sources");
    if (runs.empty() || !member(runs.front(), "seconds_left").is_number()) {
        return "running now";
    }
    return "running now, about " +
           duration_text(std::chrono::seconds(number_of(runs.front(), "seconds_left"))) + " left";
}

std::string targets_text(const json::array& targets) {
    std::string text;
    for (const json::value& target : targets) {
        const std::string error = text_of(target, "error");
        text += (error.empty() ? "Notifications to " : "ATTENTION: notifications to ") +
                text_of(target, "id") + " (" + text_of(target, "kind") + "): ";
        text += error.empty()
                    ? "last sent " + time_of(target, "sent_at")
                    : "failing since " + time_of(target, "failing_since") + ": " + plain(error);
        text += "\n";
    }
    return text;
}

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"STATUS"},
                 {"ACCOUNTS", Table::Align::right},
                 {"ITEMS", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"UNEXPLAINED", Table::Align::right},
                 {"LAST GOOD RUN"},
                 {"LAG", Table::Align::right},
                 {"NEXT RUN"}});
    std::string notes;
    for (const json::value& source : list_of(document, "sources")) {
        const bool lag = member(source, "lag_seconds").is_number();
        table.row({text_of(source, "id"), text_of(source, "status"),
                   count_text(number_of(member(source, "accounts"), "discovered")),
                   count_text(number_of(source, "items")),
                   count_text(number_of(source, "failures")),
                   count_text(number_of(member(source, "coverage"), "unexplained")),
                   time_of(source, "good_run_at"),
                   lag ? duration_text(std::chrono::seconds(number_of(source, "lag_seconds"))) : "",
                   truth_of(source, "running") ? running_text(source)
                                               : time_of(source, "next_run_at", "")});
        const json::value& polling = member(source, "polling");
        if (member(polling, "max_lag_seconds").is_number()) {
            const auto ago = [&](const char* name) {
                return duration_text(std::chrono::seconds(number_of(polling, name)));
            };
            notes += text_of(source, "id") + ": half of " +
                     count_text(number_of(polling, "folders")) + " folders were visited within " +
                     ago("p50_lag_seconds") + ", all that ever were within " +
                     ago("max_lag_seconds") + "\n";
        }
        if (const std::string reason = text_of(source, "reason"); !reason.empty()) {
            notes += text_of(source, "id") + ": " + plain(reason) + "\n";
        }
    }
    std::string all = table.empty() ? "The profile has no sources.\n" : table.text();
    all += notes + "\n";
    const json::value& archive = member(document, "archive");
    if (archive.is_object()) {
        all += "Archive " + text_of(archive, "id") + ": " +
               count_text(number_of(archive, "items")) + " items, " +
               size_text(number_of(archive, "bytes")) + ", " +
               size_text(number_of(archive, "bytes_stored")) + " stored, " +
               (truth_of(archive, "encrypted") ? "encrypted" : "not encrypted") + "\n";
    } else {
        all += "Nothing was archived yet.\n";
    }
    const json::value& evidence = member(document, "evidence");
    if (const json::value& head = member(evidence, "head"); head.is_object()) {
        all += "Head " + std::to_string(number_of(head, "number")) + " of " +
               time_of(head, "time") + " signs " + count_text(number_of(head, "leaves")) +
               " versions\n";
    }
    for (const json::value& problem : list_of(evidence, "problems")) {
        all += "ATTENTION: " + plain(problem.get_string()) + "\n";
    }
    if (const json::value& damage = member(member(document, "verify"), "damage");
        damage.is_object()) {
        all += "ATTENTION: the verify of " + time_of(damage, "at") +
               " found damage: `openarchiver verify` names it\n";
    }
    all += targets_text(list_of(document, "notifications"));
    const json::value& service = member(document, "service");
    all += truth_of(service, "running")
               ? "Service: running, process " + std::to_string(number_of(service, "pid")) + "\n"
               : "Service: not running\n";
    return all;
}

Outcome status(Command& command) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    OPENARCHIVER_TRY(const json::value document,
                     service::status_document(command.context(), catalog.get(),
                                              live ? live->document : "", command.stop()));
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(text(document));
    }
    return ExitCode::done;
}

}  // namespace

void register_status(Verb& program) {
    program.verb("status", "Shows sources, accounts, progress, lag and failures.").action(status);
}

}  // namespace openarchiver::cli
