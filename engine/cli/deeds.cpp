#include "cli/deeds.hpp"

#include <unistd.h>

#include <boost/json.hpp>
#include <utility>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "pipeline/committer.hpp"
#include "service/approvals.hpp"

namespace openarchiver::cli {

namespace json = boost::json;
using sdk::Result;

namespace {

Result<std::string> carry_out_here(Command& command, const service::Deed& deed) {
    if (const auto* const account = std::get_if<disposal::ForgetRequest>(&deed)) {
        OPENARCHIVER_TRY(
            const auto forgotten,
            disposal::forget(
                command.context(), *account, [&](std::string_view text) { command.announce(text); },
                command.stop()));
        return service::document_of(forgotten);
    }
    OPENARCHIVER_TRY(const auto writer, command.open_writer());
    pipeline::Committer committer(*writer, command.clock(), command.log());
    return service::carry_out(deed, command.context(), *writer, committer, command.stop());
}

/// Where no service does it.
using Here = std::function<Result<std::string>(service::Approvals&, const service::Person&)>;

HandedOver there_or_here(Command& command, std::string_view verb, std::string_view options,
                         const Here& here) {
    if (const auto service = command.running_service()) {
        return hand_over(command, *service, verb, options);
    }
    service::Approvals approvals(command.profile().archive, command.clock());
    auto document = here(approvals, service::system_user(::geteuid()));
    return document ? HandedOver{ExitCode::done, std::move(*document)}
                    : HandedOver{document.error(), {}};
}

std::string text(const json::value& document) {
    if (const json::value& request = member(document, "request"); request.is_object()) {
        const std::string id = text_of(request, "id");
        return "Nothing is done yet: the request " + id + " waits for a second person, until " +
               time_of(request, "expires_at") +
               ". Somebody else approves it with: openarchiver approval approve " + id + "\n";
    }
    if (const json::value& request = member(document, "approved"); request.is_object()) {
        return "Approved " + text_of(request, "id") + ", which " + text_of(request, "asked_by") +
               " asked for (" + text_of(request, "reason") + ").\n" +
               text(member(document, "result"));
    }
    if (const json::value& request = member(document, "refused"); request.is_object()) {
        return "Refused " + text_of(request, "id") + ", which " + text_of(request, "asked_by") +
               " asked for: " + what_text(request) + ".\n";
    }
    if (member(document, "forgotten").is_bool()) {
        return forget_text(document);
    }
    return member(document, "disposed").is_bool()
               ? effect_text(document)
               : "released the hold " + text_of(document, "id") + "\n";
}

Outcome show(Command& command, HandedOver done) {
    if (done.outcome.error) {
        return std::move(done.outcome);
    }
    if (command.json()) {
        command.document(done.document);
    } else {
        command.print(text(parse_document(done.document)));
    }
    return ExitCode::done;
}

}  // namespace

Outcome do_deed(Command& command, const service::Deed& deed) {
    return show(command, there_or_here(command, service::verb_of(deed), service::options_of(deed),
                                       [&](auto& approvals, const auto& person) {
                                           return approvals.carry_out_or_ask(
                                               deed, person,
                                               [&](const service::Deed& wanted) {
                                                   return carry_out_here(command, wanted);
                                               },
                                               command.stop());
                                       }));
}

Outcome approve(Command& command, const std::string& request) {
    return show(command, there_or_here(command, "approval",
                                       json::serialize(json::object{{"approve", request}}),
                                       [&](auto& approvals, const auto& person) {
                                           return approvals.approve(
                                               request, person,
                                               [&](const service::Deed& wanted) {
                                                   return carry_out_here(command, wanted);
                                               },
                                               command.stop());
                                       }));
}

Outcome refuse(Command& command, const std::string& request, const std::string& reason) {
    return show(command, there_or_here(
                             command, "approval",
                             json::serialize(json::object{{"refuse", request}, {"reason", reason}}),
                             [&](auto& approvals, const auto&) {
                                 return approvals.refuse(request, reason);
                             }));
}

std::string what_text(const json::value& request) {
    const json::value& what = member(request, "what");
    if (text_of(request, "deed") == "hold_release") {
        return "release of the hold " + text_of(what, "id") + " (" + text_of(what, "matter") + ")";
    }
    if (text_of(request, "deed") == "disposal") {
        return "retention policies " + text_of(what, "code");
    }
    const std::string ref = text_of(what, "ref");
    return "forgetting " + (ref.empty() ? std::string() : "item " + ref + " of ") +
           text_of(what, "source") + "/" + text_of(what, "account") + " (" +
           text_of(what, "address") + ")";
}

std::string forget_text(const json::value& document) {
    const bool done = truth_of(document, "forgotten");
    const std::string ref = text_of(document, "ref");
    std::string text = (done ? "Forgot " : "Would forget ") +
                       (ref.empty() ? std::string() : "item " + ref + " of ") +
                       text_of(document, "source") + "/" + text_of(document, "account") + " (" +
                       text_of(document, "address") +
                       "): " + count_text(number_of(document, "items")) + " items, " +
                       count_text(number_of(document, "versions")) + " versions, " +
                       size_text(number_of(document, "bytes")) + ".\n";
    for (const auto& hold : list_of(document, "holds")) {
        text += "Refused by the legal hold " + text_of(hold, "id") + " (" +
                text_of(hold, "matter") + "), placed " + time_of(hold, "placed_at") + " by " +
                text_of(hold, "placed_by") + ": " + text_of(hold, "reason") + "\n";
    }
    if (!done) {
        return text;
    }
    if (const std::string file = text_of(document, "old_key"); !file.empty()) {
        text += "The keyring has a new master key. The old one, " + file +
                ", still opens older copies of the archive: destroy it together with them.\n";
    }
    if (const std::string remains = text_of(document, "old_key_remains"); !remains.empty()) {
        text += "warning: " + remains + "\n";
    }
    return text;
}

std::string approval_text(const json::value& document) {
    const json::value& approval = member(document, "approval");
    return truth_of(approval, "approved")
               ? "Approved by " + text_of(approval, "approved_by") + ", " +
                     time_of(approval, "approved_at") + ".\n"
               : "Not approved in this form: nothing is disposed of. To approve it: openarchiver "
                 "retention apply --approve " +
                     text_of(approval, "code") + "\n";
}

std::string effect_text(const json::value& document) {
    const bool done = truth_of(document, "disposed");
    Table table({{"POLICY"},
                 {"KEEP"},
                 {"COVERED", Table::Align::right},
                 {done ? "DISPOSED OF" : "DUE", Table::Align::right},
                 {"SIZE", Table::Align::right},
                 {"OLDEST"},
                 {"NEWEST"},
                 {"HELD", Table::Align::right},
                 {"LOCKED", Table::Align::right}});
    for (const json::value& policy : list_of(document, "policies")) {
        const json::value& due = member(policy, "due");
        table.row({text_of(policy, "id"), text_of(policy, "keep"),
                   count_text(number_of(policy, "items")), count_text(number_of(due, "items")),
                   size_text(number_of(due, "bytes")), time_of(due, "oldest", ""),
                   time_of(due, "newest", ""), count_text(number_of(policy, "held_items")),
                   count_text(number_of(policy, "locked_items"))});
    }
    if (table.empty()) {
        return "The profile has no retention policies: everything is kept for ever.\n";
    }
    return table.text() + count_text(number_of(document, "uncovered_items")) +
           " items are covered by no policy and kept for ever.\n" +
           (done ? "" : approval_text(document));
}

}  // namespace openarchiver::cli
