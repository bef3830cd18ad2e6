#include <boost/json.hpp>
#include <chrono>
#include <memory>

#include "api/access_control.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Options {
    std::string name;
    std::string role;
    std::vector<std::string> accounts;
};

api::Credentials credentials_of(Command& command) {
    return api::Credentials(command.profile().archive.catalog_path);
}

Outcome add(Command& command, const Options& options) {
    const auto now = sdk::timestamp_of(command.clock());
    auto credentials = credentials_of(command);
    OPENARCHIVER_TRY(const std::string secret,
                     credentials.add({.name = options.name,
                                      .role = *api::role_from(options.role),
                                      .accounts = options.accounts,
                                      .created_at = now}));
    if (command.json()) {
        command.document(json::serialize(json::object{{"name", options.name}, {"secret", secret}}));
    } else {
        command.print("The secret of \"" + plain(options.name) +
                      "\", which is shown this one time:\n" + secret + "\n");
    }
    return ExitCode::done;
}

Outcome remove(Command& command, const std::string& name) {
    auto credentials = credentials_of(command);
    OPENARCHIVER_CHECK(credentials.remove(name));
    if (command.json()) {
        command.document(json::serialize(json::object{{"removed", name}}));
    } else {
        command.print("Removed the credential \"" + plain(name) + "\".\n");
    }
    return ExitCode::done;
}

Outcome list(Command& command) {
    OPENARCHIVER_TRY(const auto all, credentials_of(command).list());
    json::array shown;
    Table table({{"NAME", Table::Align::left, 60}, {"ROLE"}, {"ACCOUNTS"}, {"ADDED"}});
    for (const api::Credential& one : all) {
        std::string accounts;
        for (const auto& account : one.accounts) {
            accounts += (accounts.empty() ? "" : ", ") + account;
        }
        table.row(
            {one.name, std::string(to_string(one.role)), accounts, time_text(one.created_at)});
        shown.push_back({{"name", one.name},
                         {"role", to_string(one.role)},
                         {"accounts", json::array(one.accounts.begin(), one.accounts.end())},
                         {"created_at", service::time_value(one.created_at)}});
    }
    if (command.json()) {
        command.document(json::serialize(json::object{{"credentials", std::move(shown)}}));
    } else {
        command.print(table.empty() ? "The HTTP API has no credentials.\n" : table.text());
    }
    return ExitCode::done;
}

}  // namespace

void register_credential(Verb& program) {
    Verb credential = program.verb("credential", "Who may use the HTTP API, and for what.");
    const auto options = std::make_shared<Options>();
    Verb added = credential.verb("add", "Adds a credential and shows its secret, once.");
    added.argument("NAME", options->name, "whose it is");
    added.choice("--role", options->role,
                 {"administrator", "operator", "auditor", "account_holder"}, true,
                 "what it is good for");
    added.option("--account", options->accounts, "ID",
                 "with account_holder: this account (or address)");
    added.audited([options] { return AuditedAct{"credential_add", options->name}; });
    added.action([options](Command& command) { return add(command, *options); });
    const auto name = std::make_shared<std::string>();
    Verb removed =
        credential.verb("remove", "Removes a credential: it is good for nothing at once.");
    removed.argument("NAME", *name, "as `credential list` names it");
    removed.audited([name] { return AuditedAct{"credential_remove", *name}; });
    removed.action([name](Command& command) { return remove(command, *name); });
    credential.verb("list", "Lists the credentials, never their secrets.").action(list);
}

}  // namespace openarchiver::cli
