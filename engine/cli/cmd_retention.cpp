#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "cli/deeds.hpp"
#include "cli/document.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/retention_requests.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string covers(const json::value& policy) {
    std::string text;
    for (const std::string kind : {"source", "account", "folder"}) {
        for (const json::value& one : list_of(policy, kind + "s")) {
            text += (text.empty() ? "" : ", ") + kind + " " + std::string(one.as_string());
        }
    }
    return text.empty() ? "everything" : text;
}

/// The store's locks; nothing where it has none.
std::string locks_text(const json::value& document) {
    const json::value& locks = member(document, "locks");
    if (locks.is_null()) {
        return {};
    }
    std::string text = "Locks of the store, " + time_of(locks, "at") + ": " +
                       count_text(number_of(locks, "in_step")) + " of " +
                       count_text(number_of(locks, "packs")) +
                       " packs are locked as long as they "
                       "are kept";
    if (const auto waiting = number_of(locks, "waiting"); waiting > 0) {
        text += ", " + count_text(waiting) + " wait to be joined or sorted before their locks end";
    }
    if (const auto held = number_of(locks, "held"); held > 0) {
        text += ", " + count_text(held) + " are under a hold";
    }
    text += ".\n";
    const json::value& leftover = member(locks, "not_needed");
    if (const auto packs = number_of(leftover, "packs"); packs > 0) {
        text += count_text(packs) + " packs (" + size_text(number_of(leftover, "bytes")) +
                ") are not needed any more and go when their locks end, the last one " +
                time_of(leftover, "until") + ".\n";
    }
    if (const auto failed = number_of(locks, "failed"); failed > 0) {
        text += "NOT IN STEP: " + count_text(failed) +
                " objects could not be locked or held: " + text_of(locks, "error") + "\n";
    }
    return text;
}

std::string list_text(const json::value& document) {
    Table policies({{"POLICY"}, {"COVERS", Table::Align::left, 60}, {"KEEP"}, {"COUNTED FROM"}});
    for (const json::value& policy : list_of(document, "policies")) {
        policies.row({text_of(policy, "id"), covers(policy), text_of(policy, "keep"),
                      text_of(policy, "counted_from")});
    }
    std::string text = policies.empty()
                           ? "The profile has no retention policies: everything is kept for "
                             "ever.\n"
                           : policies.text() + approval_text(document);
    text += locks_text(document);
    Table disposals({{"DISPOSAL"},
                     {"TIME"},
                     {"POLICY"},
                     {"ITEMS", Table::Align::right},
                     {"SIZE", Table::Align::right},
                     {"BY"},
                     {"REASON", Table::Align::left, 60}});
    for (const json::value& disposal : list_of(document, "disposals")) {
        const bool forgotten = text_of(disposal, "cause") == "forget";
        disposals.row({text_of(disposal, "id"), time_of(disposal, "at"),
                       forgotten ? "(forgotten)" : text_of(disposal, "policy"),
                       count_text(number_of(disposal, "items")),
                       size_text(number_of(disposal, "bytes")), text_of(disposal, "by"),
                       text_of(disposal, "reason")});
    }
    return disposals.empty() ? text : text + "\n" + disposals.text();
}

Outcome show(Command& command, const std::string& document,
             std::string (*text)(const json::value&)) {
    if (command.json()) {
        command.document(document);
    } else {
        command.print(text(parse_document(document)));
    }
    return ExitCode::done;
}

Outcome list(Command& command) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const std::string document,
                     service::retention_document(*catalog, command.profile().archive.retention,
                                                 command.clock()));
    return show(command, document, list_text);
}

Outcome simulate(Command& command) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const std::string document,
                     service::simulation_document(*catalog, command.profile().archive.retention,
                                                  command.clock(), command.stop()));
    return show(command, document, effect_text);
}

}  // namespace

void register_retention(Verb& program) {
    Verb retention = program.verb("retention",
                                  "How long items are kept: the profile's policies, what they "
                                  "would dispose of, and what they did.");
    Verb listed = retention.verb("list", "Lists the policies and what was disposed of.");
    listed.action(list);
    Verb simulated = retention.verb("simulate", "Shows what is due now, and disposes of nothing.");
    simulated.action(simulate);
    const auto approve = std::make_shared<std::optional<std::string>>();
    Verb applied = retention.verb("apply",
                                  "Disposes of what is due, once the policies are approved; what "
                                  "is under a legal hold stays.");
    applied.option("--approve", *approve, "CODE",
                   "approves the policies as they are: the code that `retention simulate` shows");
    applied.audited("retention_apply");
    applied.action([approve](Command& command) {
        return do_deed(command, disposal::ApplyRequest{.approve = approve->value_or(""), .by = {}});
    });
}

}  // namespace openarchiver::cli
