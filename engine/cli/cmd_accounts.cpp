#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/document.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"NAME", Table::Align::left, 30},
                 {"STATUS"},
                 {"ITEMS", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"LAST PASS"},
                 {"NOTE", Table::Align::left, 80}});
    for (const json::value& account : list_of(document, "accounts")) {
        std::string note = text_of(member(account, "error"), "message");
        if (note.empty()) {
            note = text_of(account, "reason");
        }
        table.row({text_of(account, "source"), text_of(account, "address"),
                   text_of(account, "display_name"), text_of(account, "status"),
                   count_text(number_of(account, "items")),
                   count_text(number_of(account, "failures")), time_of(account, "last_pass_at"),
                   std::move(note)});
    }
    return table.empty() ? "No accounts were discovered yet.\n" : table.text();
}

Outcome accounts(Command& command, const std::vector<std::string>& sources) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    json::value document = json::object{{"accounts", json::array()}};
    if (catalog) {
        OPENARCHIVER_TRY(document, service::accounts_document(*catalog, sources));
    }
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(text(document));
    }
    return ExitCode::done;
}

}  // namespace

void register_accounts(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto sources = std::make_shared<std::vector<std::string>>();
    Verb verb = program.verb("accounts", "Lists the accounts that were discovered.");
    verb.option("--source", *sources, "ID", "only of this source; may be repeated");
    verb.action([sources](Command& command) { return accounts(command, *sources); });
}

}  // namespace openarchiver::cli
