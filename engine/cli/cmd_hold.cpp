#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "cli/deeds.hpp"
#include "cli/document.hpp"
#include "cli/live_service.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "disposal/store_locks.hpp"
#include "export/time_filter.hpp"
#include "pipeline/committer.hpp"
#include "service/disposal_requests.hpp"
#include "service/person.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Place {
    std::string matter;
    std::string reason;
    catalog::ItemFilter scope;
    std::string query;
    std::optional<std::string> since;
    std::optional<std::string> until;
};

struct Release {
    std::string id;
    std::string reason;
};

std::string names_of(const json::value& scope, std::string_view name) {
    std::string names;
    for (const json::value& one : list_of(scope, name)) {
        if (one.is_string()) {
            names += (names.empty() ? "" : ", ") + std::string(one.get_string());
        }
    }
    return names;
}

std::string scope_text(const json::value& scope) {
    std::string text;
    const auto add = [&](std::string_view what, const std::string& value) {
        if (!value.empty()) {
            text += (text.empty() ? "" : "; ") + std::string(what) + " " + value;
        }
    };
    add("source", names_of(scope, "sources"));
    add("account", names_of(scope, "accounts"));
    add("folder", names_of(scope, "folders"));
    add("from", text_of(scope, "sender"));
    add("query", text_of(scope, "query"));
    add("since", time_of(scope, "since", ""));
    add("until", time_of(scope, "until", ""));
    return text.empty() ? "everything" : text;
}

std::string text(const json::value& document) {
    Table table({{"HOLD"},
                 {"MATTER", Table::Align::left, 30},
                 {"SCOPE", Table::Align::left, 60},
                 {"ITEMS", Table::Align::right},
                 {"PLACED"},
                 {"BY"},
                 {"RELEASED"},
                 {"REASON", Table::Align::left, 60}});
    for (const json::value& hold : list_of(document, "holds")) {
        table.row({text_of(hold, "id"), text_of(hold, "matter"), scope_text(member(hold, "scope")),
                   count_text(number_of(hold, "items")), time_of(hold, "placed_at"),
                   text_of(hold, "placed_by"), time_of(hold, "released_at", ""),
                   text_of(hold, "reason")});
    }
    return table.empty() ? "No hold is in force.\n" : table.text();
}

Outcome list(Command& command, bool all) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const std::string document,
                     service::holds_document(*catalog, all, command.stop()));
    if (command.json()) {
        command.document(document);
    } else {
        command.print(text(parse_document(document)));
    }
    return ExitCode::done;
}

sdk::Status read_time(const std::optional<std::string>& text, std::optional<sdk::Timestamp>& time) {
    if (text) {
        OPENARCHIVER_TRY(time, exporter::parse_time(*text));
    }
    return {};
}

Outcome place(Command& command, const Place& options) {
    catalog::HoldPlaced request{.id = {},
                                .matter = options.matter,
                                .reason = options.reason,
                                .scope = options.scope,
                                .query = options.query,
                                .by = service::system_user(::geteuid()).by};
    for (const sdk::Status& read : {read_time(options.since, request.scope.since),
                                    read_time(options.until, request.scope.until)}) {
        if (!read) {
            return {Origin::profile, read.error()};
        }
    }
    std::string id;
    if (const auto service = command.running_service()) {
        auto answer = hand_over(command, *service, "hold", service::to_json(request));
        if (answer.outcome.error) {
            return std::move(answer.outcome);
        }
        id = text_of(parse_document(answer.document), "id");
    } else {
        OPENARCHIVER_TRY(const auto catalog, command.open_catalog());  // none is made for a hold
        OPENARCHIVER_TRY(const auto writer, command.open_writer());
        pipeline::Committer committer(*writer, command.clock(), command.log());
        OPENARCHIVER_TRY(
            id, disposal::place_hold(request, *writer, committer, command.clock(), command.stop()));
        if (const sdk::Status kept =
                disposal::keep_locks({.policies = command.profile().archive.retention,
                                      .archive = *writer,
                                      .committer = committer,
                                      .clock = command.clock(),
                                      .log = command.log()},
                                     command.stop());
            !kept) {
            command.log()->error("OA-4003 the store's locks were not brought in step: {}",
                                 kept.error().message);
        }
    }
    if (command.json()) {
        command.document(json::serialize(json::object{{"id", id}}));
    } else {
        command.print("placed the hold " + id + "\n");
    }
    return ExitCode::done;
}

}  // namespace

void register_hold(Verb& program) {
    Verb hold = program.verb("hold",
                             "Legal holds: what they cover is neither disposed of nor "
                             "forgotten.");
    const auto placing = std::make_shared<Place>();
    Verb placed = hold.verb("place",
                            "Places a hold on items, present and future; without a scope "
                            "on all of them.");
    placed.option("--matter", placing->matter, "TEXT", "the case that it is for");
    placed.required("--matter");
    placed.option("--reason", placing->reason, "TEXT", "why these items must be kept");
    placed.required("--reason");
    placed.option("--source", placing->scope.sources, "ID", "items of this source");
    placed.option("--account", placing->scope.accounts, "ID", "items of this account (or address)");
    placed.option("--folder", placing->scope.folders, "PATH",
                  "items in this folder and those below it");
    placed.option("--sender", placing->scope.sender, "TEXT",
                  "items with this in their From header");
    placed.option("--query", placing->query, "QUERY",
                  "of these, items that a search finds, now or later, or can't look into");
    placed.option("--since", placing->since, "TIME", "items received at or after this day or time");
    placed.option("--until", placing->until, "TIME", "items received before this day or time");
    placed.audited("hold_place");
    placed.action([placing](Command& command) { return place(command, *placing); });

    const auto releasing = std::make_shared<Release>();
    Verb released = hold.verb("release", "Ends a hold.");
    released.argument("HOLD", releasing->id, "the hold, as `hold list` names it");
    released.option("--reason", releasing->reason, "TEXT", "why it ends");
    released.required("--reason");
    released.audited([releasing] { return AuditedAct{"hold_release", releasing->id}; });
    released.action([releasing](Command& command) {
        return do_deed(command, catalog::HoldReleased{releasing->id, releasing->reason, {}});
    });

    const auto all = std::make_shared<bool>(false);
    Verb listed = hold.verb("list", "Lists the holds in force.");
    listed.flag("--all", *all, "those that were released, too");
    listed.action([all](Command& command) { return list(command, *all); });
}

}  // namespace openarchiver::cli
