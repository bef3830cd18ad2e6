#include <memory>

#include "cli/deeds.hpp"
#include "cli/document.hpp"
#include "cli/verbs.hpp"
#include "service/disposal_requests.hpp"

namespace openarchiver::cli {

namespace {

struct Options {
    disposal::ForgetRequest request;
    bool preview = false;
};

Outcome show(Command& command, const std::string& document) {
    if (command.json()) {
        command.document(document);
    } else {
        command.print(forget_text(parse_document(document)));
    }
    return ExitCode::done;
}

Outcome preview(Command& command, const disposal::ForgetRequest& request) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const auto plan, disposal::plan_forget(*catalog, request));
    return show(command, service::document_of(plan));
}

Outcome forget(Command& command, const Options& options) {
    const auto& [account, source, reason, by] = options.request;
    if (!disposal::is_ref(account)) {
        return options.preview ? preview(command, options.request)
                               : do_deed(command, options.request);
    }
    if (source) {
        return {Origin::profile, sdk::Error{sdk::Errc::invalid_argument,
                                            "--source goes with an account; " + account +
                                                " is an item, of one source only"}};
    }
    if (!options.preview) {
        return do_deed(command, disposal::ForgetItemRequest{account, reason, by});
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const auto plan,
                     disposal::plan_forget_item(*catalog, account, command.stop()));
    return show(command, service::document_of(plan, false));
}

}  // namespace

void register_forget(Verb& program) {
    const auto options = std::make_shared<Options>();
    Verb verb = program.verb("forget",
                             "Erases an account, whose key is destroyed, or one item: nothing "
                             "of it can be read again, and it is not archived again.");
    verb.argument("ACCOUNT|REF", options->request.account,
                  "the account's id or address, or an item as lists and exports name it");
    verb.option("--source", options->request.source, "ID",
                "the source, where several have such an account");
    verb.option("--reason", options->request.reason, "TEXT", "why, for the archive's log");
    verb.required("--reason");
    verb.flag("--preview", options->preview, "only show what would go, and what stands against it");
    verb.audited([options] {
        return AuditedAct{options->preview ? "" : "forget", options->request.account};
    });
    verb.action([options](Command& command) { return forget(command, *options); });
}

}  // namespace openarchiver::cli
