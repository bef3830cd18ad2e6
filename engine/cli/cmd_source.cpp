#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "access/kept_sources.hpp"
#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "disposal/hold.hpp"
#include "pipeline/committer.hpp"
#include "pipeline/sync.hpp"
#include "service/documents.hpp"
#include "service/estimate.hpp"
#include "service/person.hpp"
#include "service/source_check.hpp"
#include "service/sync_request.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string list_text(const json::value& document) {
    Table table({{"ID"},
                 {"NAME", Table::Align::left, 40},
                 {"PROVIDER"},
                 {"EVERY"},
                 {"STATUS"},
                 {"LAST GOOD RUN"}});
    std::string notes;
    for (const json::value& source : list_of(document, "sources")) {
        table.row({text_of(source, "id"), text_of(source, "name"), text_of(source, "provider"),
                   duration_text(std::chrono::seconds(number_of(source, "every_seconds"))),
                   text_of(source, "status"), time_of(source, "good_run_at")});
        if (const std::string reason = text_of(source, "reason"); !reason.empty()) {
            notes += text_of(source, "id") + ": " + plain(reason) + "\n";
        }
    }
    return (table.empty() ? std::string("The profile has no sources.\n") : table.text()) + notes;
}

Outcome list(Command& command) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    OPENARCHIVER_TRY(json::value document,
                     service::sources_document(catalog.get(), command.profile(),
                                               live ? &live->sources : nullptr, command.clock()));
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(list_text(document));
    }
    return ExitCode::done;
}

std::string check_text(const std::vector<sdk::Check>& checks) {
    Table table({{"CHECK"}, {"OUTCOME"}, {"DETAIL"}, {"WHAT TO DO"}});
    for (const sdk::Check& check : checks) {
        table.row({check.name, std::string(service::outcome_name(check.outcome)), check.detail,
                   check.remedy});
    }
    return table.text();
}

std::string estimate_text(const json::value& estimate) {
    const auto known = [&](const char* name, const auto& text) -> std::string {
        return member(estimate, name).is_number() ? text(number_of(estimate, name)) : "unknown";
    };
    const auto duration = [](std::uint64_t seconds) {
        return duration_text(std::chrono::seconds(seconds));
    };
    Table table({{"ESTIMATE"}, {"VALUE"}, {"FROM"}});
    const std::string sampled = count_text(number_of(estimate, "accounts_sampled")) + " of " +
                                count_text(number_of(estimate, "accounts")) +
                                " accounts were looked at";
    table.row({"accounts", count_text(number_of(estimate, "accounts")),
               truth_of(estimate, "accounts_complete")
                   ? "all that discovery shows"
                   : "as many as could be listed in time; there are more"});
    table.row({"items", known("items", count_text), sampled});
    table.row({"bytes", known("bytes", size_text),
               "the sizes of " + count_text(number_of(estimate, "items_sampled")) + " items, " +
                   known("bytes_per_item", size_text) + " on average"});
    table.row({"first import", known("seconds", duration),
               "reading an item took " +
                   known("milliseconds_per_item",
                         [](std::uint64_t ms) { return count_text(ms) + " ms"; }) +
                   "; the longest account takes " + known("longest_account_seconds", duration)});
    const auto percent =
        static_cast<std::uint64_t>(decimal_of(estimate, "stored_ratio") * 100 + 0.5);
    table.row(
        {"disk", known("disk_bytes", size_text),
         std::to_string(percent) + " % of the bytes, " +
             (text_of(estimate, "stored_ratio_from") == "archive" ? "as in this archive so far"
                                                                  : "which is an assumption")});
    return "\n" + table.text();
}

/// With the archive's own ratio of stored to read bytes, where there is an archive already.
sdk::Result<json::value> estimate(Command& command, sdk::ProviderSession& session) {
    OPENARCHIVER_TRY(const sdk::Estimate seen, session.estimate(command.stop()));
    catalog::Totals totals;
    // The catalog alone: opening the archive would make its folder.
    if (const auto catalog = catalog::CatalogReader::open(command.profile().archive.catalog_path)) {
        OPENARCHIVER_TRY(totals, (*catalog)->totals());
    }
    return service::estimate_document(seen, session.limits(), totals);
}

Outcome check(Command& command, const std::string& id, bool with_estimate) {
    const auto& sources = command.profile().sources;
    const auto wanted = std::ranges::find(sources, id, &profile::Source::id);
    if (wanted == sources.end()) {
        return {Origin::profile, service::unknown_source(command.profile(), id)};
    }
    std::unique_ptr<plugin::SecretVault> vault;
    if (wanted->from_api) {
        OPENARCHIVER_TRY(vault, access::open_vault(command.context(), command.stop()));
    }
    const auto source = pipeline::open_source(command.context(), *wanted, vault.get());
    if (!source) {
        return {Origin::upstream, source.error()};
    }
    const auto checks = (*source)->session->check(command.stop());
    if (!checks) {
        return {Origin::upstream, checks.error()};
    }
    const ExitCode code = service::exit_code(*checks);
    Outcome outcome = code;
    json::value document = service::check_document(id, *checks);
    std::string text = check_text(*checks);
    if (with_estimate) {
        document.as_object()["estimate"] = nullptr;
        // Without what the checks ask for it would fail as well.
        if (code == ExitCode::done) {
            if (auto made = estimate(command, *(*source)->session)) {
                text += estimate_text(*made);
                document.as_object()["estimate"] = std::move(*made);
            } else {
                outcome = {Origin::upstream, made.error()};
            }
        }
    }
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(text);
    }
    return outcome;
}

/// In the service that has the catalog open, or here.
Outcome pause(Command& command, const std::string& id, bool paused) {
    const auto& sources = command.profile().sources;
    const auto known = std::ranges::find(sources, id, &profile::Source::id);
    if (known == sources.end()) {
        return {Origin::profile, service::unknown_source(command.profile(), id)};
    }
    if (const auto service = command.running_service()) {
        auto answer = hand_over(command, *service, "source",
                                json::serialize(json::object{{"id", id}, {"paused", paused}}));
        if (answer.outcome.error) {
            return std::move(answer.outcome);
        }
    } else if (known->paused_by.has_value() != paused) {
        OPENARCHIVER_TRY(const auto writer, command.open_writer());
        pipeline::Committer committer(*writer, command.clock(), command.log());
        OPENARCHIVER_CHECK(disposal::put_event(
            catalog::SourcePaused{
                .source = id, .paused = paused, .by = service::system_user(::geteuid()).by},
            committer, sdk::timestamp_of(command.clock()), command.stop()));
    }
    if (command.json()) {
        command.document(json::serialize(json::object{{"id", id}, {"paused", paused}}));
    } else {
        command.print(id + (paused ? " is not read until it is resumed.\n" : " is read again.\n"));
    }
    return ExitCode::done;
}

}  // namespace

void register_source(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto id = std::make_shared<std::string>();
    Verb source = program.verb("source", "The configured sources.");
    source.verb("list", "Lists the sources with their status.").action(list);
    Verb checking = source.verb("check", "Checks, changing nothing, that a source can be read.");
    const auto with_estimate = std::make_shared<bool>(false);
    checking.argument("ID", *id, "the source");
    checking.flag("--estimate", *with_estimate,
                  "also what it probably holds, and what time and disk a first import takes");
    checking.action(
        [id, with_estimate](Command& command) { return check(command, *id, *with_estimate); });
    for (const bool paused : {true, false}) {
        Verb pausing = source.verb(paused ? "pause" : "resume",
                                   paused ? "Does not read a source until it is resumed; a run "
                                            "that goes on ends soon."
                                          : "Reads a source again.");
        pausing.argument("ID", *id, "the source");
        pausing.audited(
            [id, paused] { return AuditedAct{paused ? "source_pause" : "source_resume", *id}; });
        pausing.action([id, paused](Command& command) { return pause(command, *id, paused); });
    }
}

}  // namespace openarchiver::cli
