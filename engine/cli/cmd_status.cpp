#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "evidence/head.hpp"
#include "service/archive_marker.hpp"
#include "service/documents.hpp"
#include "service/head_witnesses.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

/// null where there is no archive yet.
sdk::Result<json::value> archive_document(Command& command, catalog::CatalogReader* catalog) {
    const auto marker = service::read_archive_marker(command.context(), command.stop());
    if (!marker) {
        if (marker.error().code == sdk::Errc::not_found) {
            return json::value();
        }
        return marker.error();
    }
    catalog::Totals totals;
    if (catalog != nullptr) {
        OPENARCHIVER_TRY(totals, catalog->totals());
    }
    return json::value{
        {"id", marker->archive_id},       {"format", marker->format},
        {"encrypted", marker->encrypted}, {"created_at", service::time_value(marker->created_at)},
        {"items", totals.items},          {"versions", totals.versions},
        {"bytes", totals.version_bytes},  {"bytes_stored", totals.pack_bytes}};
}

json::value witness_document(const std::optional<service::WitnessState>& state) {
    if (!state) {
        return nullptr;
    }
    json::object document{{"head", nullptr},
                          {"at", service::time_value(state->at)},
                          {"failing_since", service::time_value(state->failing_since)},
                          {"error", state->error}};
    if (state->head != 0) {
        document["head"] = state->head;
    }
    return document;
}

/// The newest head, and who vouches for heads.
sdk::Result<json::value> evidence_document(Command& command, catalog::CatalogReader* catalog) {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(command.clock().now());
    json::value newest = nullptr;
    json::array problems;
    const auto note = catalog != nullptr ? catalog->newest_head()
                                         : sdk::Result<std::optional<std::string>>(std::nullopt);
    OPENARCHIVER_CHECK(note);
    if (*note) {
        OPENARCHIVER_TRY(const auto head, evidence::parse_head(**note));
        OPENARCHIVER_TRY(auto positions, catalog->positions());
        std::ranges::sort(positions, {}, &evidence::Positions::value_type::first);
        if (positions != head.positions &&
            now - head.time > 2 * command.profile().archive.evidence.head_every) {
            problems.emplace_back(json::string(
                "no head was written since " + time_text(head.time) +
                ", though there is something new: the engine's log says why, `openarchiver "
                "verify` whether the archive is damaged"));
        }
        newest = {{"number", head.number},
                  {"time", service::time_value(head.time)},
                  {"leaves", head.size}};
    }
    const auto states = service::read_witness_states(command.profile());
    for (const auto& problem : service::witness_problems(command.profile(), states, now)) {
        problems.emplace_back(json::string(problem));
    }
    return json::value{{"head", std::move(newest)},
                       {"timestamp", witness_document(states.timestamp)},
                       {"publication", witness_document(states.publication)},
                       {"problems", std::move(problems)}};
}

json::value service_document(const std::optional<LiveService>& live) {
    json::object document{{"running", live.has_value()},
                          {"pid", nullptr},
                          {"host", nullptr},
                          {"version", nullptr},
                          {"started_at", nullptr}};
    if (live) {
        const json::value own = parse_document(live->document);
        for (const char* const name : {"pid", "host", "version", "started_at"}) {
            document[name] = member(own, name);
        }
    }
    return document;
}

std::string running_text(const json::value& source) {
    const json::array& runs = list_of(member(source, "progress"), "sources");
    if (runs.empty() || !member(runs.front(), "seconds_left").is_number()) {
        return "running now";
    }
    return "running now, about " +
           duration_text(std::chrono::seconds(number_of(runs.front(), "seconds_left"))) + " left";
}

std::string text(const json::value& document) {
    Table table({{"SOURCE"},
                 {"STATUS"},
                 {"ACCOUNTS", Table::Align::right},
                 {"ITEMS", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"UNEXPLAINED", Table::Align::right},
                 {"LAST GOOD RUN"},
                 {"LAG", Table::Align::right},
                 {"NEXT RUN"}});
    std::string notes;
    for (const json::value& source : list_of(document, "sources")) {
        const bool lag = member(source, "lag_seconds").is_number();
        table.row({text_of(source, "id"), text_of(source, "status"),
                   count_text(number_of(member(source, "accounts"), "discovered")),
                   count_text(number_of(source, "items")),
                   count_text(number_of(source, "failures")),
                   count_text(number_of(member(source, "coverage"), "unexplained")),
                   time_of(source, "good_run_at"),
                   lag ? duration_text(std::chrono::seconds(number_of(source, "lag_seconds"))) : "",
                   truth_of(source, "running") ? running_text(source)
                                               : time_of(source, "next_run_at", "")});
        const json::value& polling = member(source, "polling");
        if (member(polling, "max_lag_seconds").is_number()) {
            const auto ago = [&](const char* name) {
                return duration_text(std::chrono::seconds(number_of(polling, name)));
            };
            notes += text_of(source, "id") + ": half of " +
                     count_text(number_of(polling, "folders")) + " folders were visited within " +
                     ago("p50_lag_seconds") + ", all that ever were within " +
                     ago("max_lag_seconds") + "\n";
        }
        if (const std::string reason = text_of(source, "reason"); !reason.empty()) {
            notes += text_of(source, "id") + ": " + plain(reason) + "\n";
        }
    }
    std::string all = table.empty() ? "The profile has no sources.\n" : table.text();
    all += notes + "\n";
    const json::value& archive = member(document, "archive");
    if (archive.is_object()) {
        all += "Archive " + text_of(archive, "id") + ": " +
               count_text(number_of(archive, "items")) + " items, " +
               size_text(number_of(archive, "bytes")) + ", " +
               size_text(number_of(archive, "bytes_stored")) + " stored, " +
               (truth_of(archive, "encrypted") ? "encrypted" : "not encrypted") + "\n";
    } else {
        all += "Nothing was archived yet.\n";
    }
    const json::value& evidence = member(document, "evidence");
    if (const json::value& head = member(evidence, "head"); head.is_object()) {
        all += "Head " + std::to_string(number_of(head, "number")) + " of " +
               time_of(head, "time") + " signs " + count_text(number_of(head, "leaves")) +
               " versions\n";
    }
    for (const json::value& problem : list_of(evidence, "problems")) {
        all += "ATTENTION: " + plain(problem.get_string()) + "\n";
    }
    const json::value& service = member(document, "service");
    all += truth_of(service, "running")
               ? "Service: running, process " + std::to_string(number_of(service, "pid")) + "\n"
               : "Service: not running\n";
    return all;
}

Outcome status(Command& command) {
    const auto live = ask_service(command);
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog_if_any());
    OPENARCHIVER_TRY(json::value document,
                     service::sources_document(catalog.get(), command.profile(),
                                               live ? &live->sources : nullptr, command.clock()));
    OPENARCHIVER_TRY(json::value archive, archive_document(command, catalog.get()));
    document.as_object()["archive"] = std::move(archive);
    OPENARCHIVER_TRY(json::value evidence, evidence_document(command, catalog.get()));
    document.as_object()["evidence"] = std::move(evidence);
    document.as_object()["service"] = service_document(live);
    if (command.json()) {
        command.document(json::serialize(document));
    } else {
        command.print(text(document));
    }
    return ExitCode::done;
}

}  // namespace

void register_status(Verb& program) {
    program.verb("status", "Shows sources, accounts, progress, lag and failures.").action(status);
}

}  // namespace openarchiver::cli
