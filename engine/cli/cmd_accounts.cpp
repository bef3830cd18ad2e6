#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Options {
    std::vector<std::string> sources;
    bool coverage = false;
};

constexpr const char* kNone = "No account that was discovered so far fits.\n";

std::string coverage_text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"STATUS"},
                 {"UPSTREAM", Table::Align::right},
                 {"ARCHIVED", Table::Align::right},
                 {"EXCLUDED", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"PENDING", Table::Align::right},
                 {"UNEXPLAINED", Table::Align::right},
                 {"COUNTED"},
                 {"ARCHIVE MAILBOX"}});
    for (const json::value& account : list_of(document, "accounts")) {
        const json::value& coverage = member(account, "coverage");
        const auto count = [&](const char* name) {
            return coverage.is_object() ? count_text(number_of(coverage, name)) : std::string();
        };
        table.row({text_of(account, "source"), text_of(account, "address"),
                   text_of(account, "status"), count("upstream"), count("archived"),
                   count("excluded"), count("failed"), count("pending"), count("unexplained"),
                   coverage.is_object() ? time_of(coverage, "counted_at") : "",
                   text_of(account, "archive_mailbox")});
    }
    return table.empty() ? kNone : table.text();
}

/// Of a forgotten account only the id is left.
std::string name_of(const json::value& account) {
    std::string address = text_of(account, "address");
    return address.empty() ? text_of(account, "id") : address;
}

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"NAME", Table::Align::left, 30},
                 {"STATUS"},
                 {"ITEMS", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"LAST PASS"},
                 {"LAG", Table::Align::right},
                 {"NOTE", Table::Align::left, 80}});
    for (const json::value& account : list_of(document, "accounts")) {
        std::string note = error_of(account);
        if (note.empty()) {
            note = text_of(account, "reason");
        }
        if (const json::value& left = member(member(account, "progress"), "seconds_left");
            note.empty() && left.is_number()) {
            note = "under way, about " +
                   duration_text(std::chrono::seconds(
                       number_of(member(account, "progress"), "seconds_left"))) +
                   " left";
        }
        const bool lag = member(account, "lag_seconds").is_number();
        table.row(
            {text_of(account, "source"), name_of(account), text_of(account, "display_name"),
             text_of(account, "status"), count_text(number_of(account, "items")),
             count_text(number_of(account, "failures")), time_of(account, "last_pass_at"),
             lag ? duration_text(std::chrono::seconds(number_of(account, "lag_seconds"))) : "",
             std::move(note)});
    }
    return table.empty() ? kNone : table.text();
}

Outcome accounts(Command& command, const Options& options) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    json::value document = json::object{{"accounts", json::array()}};
    if (catalog) {
        OPENARCHIVER_TRY(
            document, service::accounts_document(*catalog, options.sources,
                                                 live ? &live->sources : nullptr, command.clock()));
    }
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(options.coverage ? coverage_text(document) : text(document));
    }
    return ExitCode::done;
}

}  // namespace

void register_accounts(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto options = std::make_shared<Options>();
    Verb verb = program.verb("accounts", "Lists the accounts that were discovered.");
    verb.option("--source", options->sources, "ID", "only of this source; may be repeated");
    verb.flag("--coverage", options->coverage,
              "what each mailbox holds, and what of it is archived, left out, failed or missing");
    verb.action([options](Command& command) { return accounts(command, *options); });
}

}  // namespace openarchiver::cli
