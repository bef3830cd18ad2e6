#include <memory>

#include "cli/deeds.hpp"
#include "cli/document.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/approvals.hpp"

namespace openarchiver::cli {

namespace {

Outcome list(Command& command) {
    const service::Approvals approvals(command.profile().archive, command.clock());
    OPENARCHIVER_TRY(const std::string document, approvals.document());
    if (command.json()) {
        command.document(document);
        return ExitCode::done;
    }
    Table table({{"REQUEST"},
                 {"WHAT", Table::Align::left, 80},
                 {"REASON", Table::Align::left, 60},
                 {"ASKED BY"},
                 {"ASKED"},
                 {"EXPIRES"}});
    const auto parsed = parse_document(document);
    for (const auto& request : list_of(parsed, "approvals")) {
        table.row({text_of(request, "id"), what_text(request), text_of(request, "reason"),
                   text_of(request, "asked_by"), time_of(request, "asked_at"),
                   time_of(request, "expires_at")});
    }
    command.print(table.empty() ? "Nothing waits for a second person.\n" : table.text());
    return ExitCode::done;
}

struct Options {
    std::string request;
    std::string reason;
};

}  // namespace

void register_approval(Verb& program) {
    Verb approval = program.verb("approval",
                                 "What one person asked for and another one has to approve "
                                 "(archive.second_person).");
    approval.verb("list", "Lists what waits for a second person.").action(list);

    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb approved = approval.verb("approve", "Does what another person asked for.");
    approved.argument("REQUEST", options->request, "the request, as `approval list` names it");
    approved.audited([options] { return AuditedAct{"approval_approve", options->request}; });
    approved.action([options](Command& command) { return approve(command, options->request); });

    Verb refused =
        approval.verb("refuse", "Ends a request; who made it may take it back in this way.");
    refused.argument("REQUEST", options->request, "the request, as `approval list` names it");
    refused.option("--reason", options->reason, "TEXT", "why");
    refused.required("--reason");
    refused.audited([options] { return AuditedAct{"approval_refuse", options->request}; });
    refused.action(
        [options](Command& command) { return refuse(command, options->request, options->reason); });
}

}  // namespace openarchiver::cli
