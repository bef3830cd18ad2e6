#include <boost/json.hpp>
#include <memory>
#include <string>

#include "cli/document.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string note_of(const json::value& folder) {
    if (!text_of(folder, "removed_at").empty()) {
        return "gone upstream";
    }
    if (!truth_of(folder, "archived")) {
        return "left out by the configuration";
    }
    return text_of(member(folder, "error"), "message");
}

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"FOLDER", Table::Align::left, 60},
                 {"ITEMS", Table::Align::right},
                 {"UPSTREAM", Table::Align::right},
                 {"LAST SYNC"},
                 {"NOTE", Table::Align::left, 80}});
    for (const json::value& folder : list_of(document, "folders")) {
        const bool told = member(folder, "items_upstream").is_number();
        table.row({text_of(folder, "source"), text_of(folder, "address"), path_of(folder, "path"),
                   count_text(number_of(folder, "items")),
                   told ? count_text(number_of(folder, "items_upstream")) : "",
                   time_of(folder, "synced_at"), note_of(folder)});
    }
    return table.empty() ? "No folders were discovered yet.\n" : table.text();
}

Outcome folders(Command& command, const service::FolderFilter& filter) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    json::value document = json::object{{"folders", json::array()}};
    if (catalog) {
        OPENARCHIVER_TRY(document, service::folders_document(*catalog, filter));
    }
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(text(document));
    }
    return ExitCode::done;
}

}  // namespace

void register_folders(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto filter = std::make_shared<service::FolderFilter>();
    Verb verb = program.verb("folders", "Lists the folders that were discovered.");
    verb.option("--source", filter->sources, "ID", "only of this source; may be repeated");
    verb.option("--account", filter->accounts, "ID",
                "only of this account, by id or address; may be repeated");
    verb.action([filter](Command& command) { return folders(command, *filter); });
}

}  // namespace openarchiver::cli
