#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/system_user.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "pipeline/committer.hpp"
#include "service/disposal_requests.hpp"

namespace openarchiver::cli {

namespace {

struct Options {
    disposal::ForgetRequest request;
    bool preview = false;
};

std::string text(const boost::json::value& document) {
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

Outcome show(Command& command, const std::string& document) {
    if (command.json()) {
        command.document(document);
    } else {
        command.print(text(parse_document(document)));
    }
    return ExitCode::done;
}

Outcome preview(Command& command, const disposal::ForgetRequest& request) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const auto plan, disposal::plan_forget(*catalog, request));
    return show(command, service::document_of(plan));
}

/// In the service that has the catalog open.
Outcome forget_there(Command& command, service::ControlClient& service, std::string_view verb,
                     const std::string& request) {
    auto done = hand_over(command, service, verb, request);
    return done.outcome.error ? std::move(done.outcome) : show(command, done.document);
}

Outcome forget_item(Command& command, const Options& options) {
    const disposal::ForgetItemRequest request{
        .ref = options.request.account, .reason = options.request.reason, .by = system_user()};
    if (options.preview) {
        OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
        OPENARCHIVER_TRY(const auto plan,
                         disposal::plan_forget_item(*catalog, request.ref, command.stop()));
        return show(command, service::document_of(plan, false));
    }
    if (const auto service = command.running_service()) {
        return forget_there(command, *service, "forget_item", service::to_json(request));
    }
    OPENARCHIVER_TRY(const auto writer, command.open_writer());
    pipeline::Committer committer(*writer, command.clock(), command.log());
    OPENARCHIVER_TRY(const auto plan, disposal::forget_item(request, *writer, committer,
                                                            command.clock(), command.stop()));
    return show(command, service::document_of(plan, true));
}

Outcome forget(Command& command, const Options& options) {
    if (disposal::is_ref(options.request.account)) {
        return forget_item(command, options);
    }
    disposal::ForgetRequest request = options.request;
    request.by = system_user();
    if (options.preview) {
        return preview(command, request);
    }
    if (const auto service = command.running_service()) {
        return forget_there(command, *service, "forget", service::to_json(request));
    }
    OPENARCHIVER_TRY(const auto forgotten,
                     disposal::forget(
                         command.context(), request,
                         [&](std::string_view text) { command.announce(text); }, command.stop()));
    return show(command, service::document_of(forgotten));
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
