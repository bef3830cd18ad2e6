#include <boost/json.hpp>
#include <memory>
#include <string>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Options {
    service::FolderFilter filter;
    bool coverage = false;
};

constexpr const char* kNone = "No folder that was discovered so far fits.\n";

std::string coverage_text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"FOLDER", Table::Align::left, 60},
                 {"STATUS"},
                 {"UPSTREAM", Table::Align::right},
                 {"ARCHIVED", Table::Align::right},
                 {"EXCLUDED", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"PENDING", Table::Align::right},
                 {"UNEXPLAINED", Table::Align::right},
                 {"COUNTED"}});
    for (const json::value& folder : list_of(document, "folders")) {
        const json::value& coverage = member(folder, "coverage");
        const auto count = [&](const char* name) { return count_text(number_of(coverage, name)); };
        const bool told = member(folder, "items_upstream").is_number();
        const bool known = number_of(coverage, "folders_unknown") == 0;
        table.row({text_of(folder, "source"), text_of(folder, "address"), path_of(folder, "path"),
                   text_of(folder, "status"), told ? count("upstream") : "unknown",
                   count("archived"), count("excluded"), count("failed"), count("pending"),
                   known ? count("unexplained") : "unknown", time_of(coverage, "counted_at")});
    }
    return table.empty() ? kNone : table.text();
}

std::string note_of(const json::value& folder) {
    if (!text_of(folder, "removed_at").empty()) {
        return "gone upstream";
    }
    if (!truth_of(folder, "archived")) {
        return "left out by the configuration";
    }
    return error_of(folder);
}

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"ACCOUNT", Table::Align::left, 40},
                 {"FOLDER", Table::Align::left, 60},
                 {"ITEMS", Table::Align::right},
                 {"UPSTREAM", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"LAST SYNC"},
                 {"NOTE", Table::Align::left, 80}});
    for (const json::value& folder : list_of(document, "folders")) {
        const bool told = member(folder, "items_upstream").is_number();
        table.row({text_of(folder, "source"), text_of(folder, "address"), path_of(folder, "path"),
                   count_text(number_of(folder, "items")),
                   told ? count_text(number_of(folder, "items_upstream")) : "",
                   count_text(number_of(folder, "failures")), time_of(folder, "synced_at"),
                   note_of(folder)});
    }
    return table.empty() ? kNone : table.text();
}

Outcome folders(Command& command, const Options& options) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    json::value document = json::object{{"folders", json::array()}};
    if (catalog) {
        OPENARCHIVER_TRY(
            document, service::folders_document(*catalog, options.filter,
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

void register_folders(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto options = std::make_shared<Options>();
    Verb verb = program.verb("folders", "Lists the folders that were discovered.");
    verb.option("--source", options->filter.sources, "ID", "only of this source; may be repeated");
    verb.option("--account", options->filter.accounts, "ID",
                "only of this account, by id or address; may be repeated");
    verb.flag("--coverage", options->coverage,
              "what each folder holds, and what of it is archived, left out, failed or missing");
    verb.action([options](Command& command) { return folders(command, *options); });
}

}  // namespace openarchiver::cli
