#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "cli/document.hpp"
#include "cli/system_user.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/control_client.hpp"
#include "service/disposal_requests.hpp"

namespace openarchiver::cli {

namespace {

struct Options {
    disposal::ForgetRequest request;
    bool preview = false;
};

std::string text(const boost::json::value& document) {
    const bool done = truth_of(document, "forgotten");
    std::string text = (done ? "Forgot " : "Would forget ") + text_of(document, "source") + "/" +
                       text_of(document, "account") + " (" + text_of(document, "address") +
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

Outcome forget(Command& command, const Options& options) {
    disposal::ForgetRequest request = options.request;
    request.by = system_user();
    if (options.preview) {
        return preview(command, request);
    }
    if (const auto service = command.running_service()) {
        OPENARCHIVER_TRY(auto answer, service->call(
                                          "forget", service::to_json(request),
                                          [](std::string_view) {}, command.stop()));
        if (answer.error) {
            Outcome outcome = answer.exit_code;
            outcome.error = std::move(answer.error);
            return outcome;
        }
        return show(command, answer.document);
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
                             "Destroys the key of an account: nothing of it can be read "
                             "again, and it is not archived again.");
    verb.argument("ACCOUNT", options->request.account, "the account's id or address");
    verb.option("--source", options->request.source, "ID",
                "the source, where several have such an account");
    verb.option("--reason", options->request.reason, "TEXT", "why, for the archive's log");
    verb.required("--reason");
    verb.flag("--preview", options->preview, "only show what would go, and what stands against it");
    verb.action([options](Command& command) { return forget(command, *options); });
}

}  // namespace openarchiver::cli
