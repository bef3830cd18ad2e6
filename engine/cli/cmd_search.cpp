#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "export/time_filter.hpp"
#include "search/search.hpp"
#include "service/search_document.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr std::uint64_t kDefaultLimit = 50;
constexpr std::uint64_t kMaxLimit = 10'000;

struct Options {
    std::optional<std::string> query;
    search::Request request;
    std::optional<std::string> since;
    std::optional<std::string> until;
    std::optional<std::uint64_t> limit;
    std::optional<std::uint64_t> offset;
    bool relevance = false;
    bool counts = false;
    bool unsearched = false;
};

std::string emphasized(const search::Snippet& snippet) {
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    std::string text;
    std::size_t at = 0;
    for (const auto& [begin, end] : snippet.highlights) {
        text += plain(snippet.text.substr(at, begin - at));
        text += (terminal ? "\x1B[1m" : "") + plain(snippet.text.substr(begin, end - begin)) +
                (terminal ? "\x1B[0m" : "");
        at = end;
    }
    return text + plain(snippet.text.substr(at));
}

void print_hit(Command& command, const search::Hit& hit) {
    const auto& version = hit.version;
    command.print(version.ref + "  " + time_text(version.received_at) + "  " +
                  fit(version.from, 40) + "\n    " + plain(version.subject) + "\n");
    if (!hit.snippet.text.empty()) {
        command.print("    " + emphasized(hit.snippet) + "\n");
    }
}

void print_coverage(Command& command, const search::Coverage& coverage) {
    std::string text;
    for (const auto& [reason, number] : coverage.gaps) {
        text += (text.empty() ? "" : ", ") + std::string(search::to_string(reason)) + " " +
                count_text(number);
    }
    if (!text.empty()) {
        command.print("not wholly searched: " + text +
                      " (`search --unsearched` with the same options lists them)\n");
    }
    if (coverage.not_yet_indexed > 0) {
        command.print("not searched: " + count_text(coverage.not_yet_indexed) +
                      " messages that are not in the index yet\n");
    }
}

void print_counts(Command& command, const search::Counts& counts) {
    command.print(count_text(counts.total) + " hits\n");
    Table table({{.name = "by"}, {.name = ""}, {.name = "hits", .align = Table::Align::right}});
    for (const auto& [id, number] : counts.sources) {
        table.row({"source", plain(id), count_text(number)});
    }
    for (const auto& [account, number] : counts.accounts) {
        table.row({"account", plain(account.first + " " + account.second), count_text(number)});
    }
    for (const auto& [year, number] : counts.years) {
        table.row({"year", std::to_string(year), count_text(number)});
    }
    command.print(table.text());
}

Outcome list_unsearched(Command& command, search::Search& search, catalog::CatalogReader& catalog,
                        const Options& options) {
    OPENARCHIVER_TRY(const auto list, search.unsearched(options.offset.value_or(0),
                                                        options.limit.value_or(kDefaultLimit)));
    OPENARCHIVER_TRY(const auto coverage, search.coverage());
    service::ItemFolders folders(catalog);
    for (const auto& one : list) {
        json::array gaps;
        std::string text;
        for (const auto& gap : one.gaps) {
            gaps.push_back({{"reason", search::to_string(gap.reason)}, {"name", gap.name}});
            text += (text.empty() ? "" : ", ") + std::string(search::to_string(gap.reason)) +
                    (gap.name.empty() ? "" : " " + plain(gap.name));
        }
        if (command.json()) {
            OPENARCHIVER_TRY(json::object line, service::version_value(one.version, folders));
            line["gaps"] = std::move(gaps);
            command.document(json::serialize(line));
        } else {
            command.print(one.version.ref + "  " + time_text(one.version.received_at) + "  " +
                          plain(one.version.subject) + "\n    " + text + "\n");
        }
    }
    if (command.json()) {
        command.document(json::serialize(
            json::object{{"summary", {{"coverage", service::coverage_value(coverage)}}}}));
    } else {
        print_coverage(command, coverage);
    }
    return ExitCode::done;
}

sdk::Result<std::optional<sdk::Timestamp>> time_option(const std::optional<std::string>& text) {
    if (!text) {
        return std::optional<sdk::Timestamp>();
    }
    OPENARCHIVER_TRY(const auto time, exporter::parse_time(*text));
    return std::optional(time);
}

Outcome run_search(Command& command, Options& options) {
    auto& request = options.request;
    request.query = options.query.value_or("");
    auto since = time_option(options.since);
    auto until = time_option(options.until);
    if (!since || !until) {
        return {Origin::profile, since ? until.error() : since.error()};
    }
    request.filter.since = *since;
    request.filter.until = *until;
    if (options.limit.value_or(1) > kMaxLimit) {
        return Outcome::usage("--limit is at most " + std::to_string(kMaxLimit));
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    const auto started = std::chrono::steady_clock::now();
    auto search = search::Search::open(command.profile().archive.catalog_path, *catalog, request);
    if (!search) {
        const bool usage = search.error().code == sdk::Errc::invalid_argument ||
                           search.error().code == sdk::Errc::not_found;
        return {usage ? Origin::profile : Origin::archive, std::move(search.error())};
    }
    if (options.unsearched) {
        return list_unsearched(command, **search, *catalog, options);
    }
    const auto order = options.relevance ? search::Order::relevance : search::Order::newest_first;
    OPENARCHIVER_TRY(const auto page, (*search)->page(order, options.offset.value_or(0),
                                                      options.limit.value_or(kDefaultLimit)));
    OPENARCHIVER_TRY(const auto coverage, (*search)->coverage());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    std::optional<search::Counts> counts;
    if (options.counts) {
        OPENARCHIVER_TRY(counts, (*search)->counts());
    }
    service::ItemFolders folders(*catalog);
    for (const auto& hit : page.hits) {
        if (!command.json()) {
            print_hit(command, hit);
            continue;
        }
        OPENARCHIVER_TRY(const json::object line, service::hit_value(hit, folders));
        command.document(json::serialize(line));
    }
    if (command.json()) {
        json::object summary{
            {"more", page.more},
            {"ranked_newest_only", page.partial},
            {"milliseconds", std::round(took.count() * 1e5) / 100},
            {"counts", counts ? json::value(service::counts_value(*counts)) : nullptr},
            {"coverage", service::coverage_value(coverage)}};
        command.document(json::serialize(json::object{{"summary", std::move(summary)}}));
        return ExitCode::done;
    }
    if (page.hits.empty()) {
        command.print("nothing was found\n");
    }
    if (page.more) {
        command.print("there is more: --offset " +
                      std::to_string(options.offset.value_or(0) + page.hits.size()) + "\n");
    }
    if (page.partial) {
        command.print("only the newest " + count_text(search::kRanked) +
                      " hits were ranked by relevance\n");
    }
    if (counts) {
        print_counts(command, *counts);
    }
    print_coverage(command, coverage);
    return ExitCode::done;
}

}  // namespace

void register_search(Verb& program) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    auto& filter = options->request.filter;
    Verb verb = program.verb("search", "Finds archived items by their text, the newest first.");
    verb.optional_argument("QUERY", options->query,
                           "words, \"phrases\", from: to: subject: before: ... (docs/search.md)");
    verb.option("--source", filter.sources, "ID", "only this source; may be repeated");
    verb.option("--account", filter.accounts, "ACCOUNT",
                "only this account, by id or address; may be repeated");
    verb.option("--folder", filter.folders, "PATH",
                "only this folder and those below it, as Inbox/Projects; may be repeated");
    verb.option("--sender", filter.sender, "TEXT", "only messages with this in their From header");
    verb.option("--recipient", options->request.recipient, "TEXT",
                "only messages with these words in their To, Cc or Bcc header");
    verb.option("--since", options->since, "TIME",
                "only messages received at or after this day or time (UTC)");
    verb.option("--until", options->until, "TIME",
                "only messages received before this day or time (UTC)");
    verb.flag("--has-attachment", options->request.has_attachment,
              "only messages with attachments");
    verb.option("--conversation", options->request.conversation, "REF",
                "only messages that are connected with this one");
    verb.option("--limit", options->limit, "N", "at most so many hits (default: 50)");
    verb.option("--offset", options->offset, "N", "leave out so many hits at the beginning");
    verb.flag("--relevance", options->relevance,
              "the best first, of the newest 50,000, instead of the newest");
    verb.flag("--counts", options->counts, "count the hits by source, account and year");
    verb.flag("--unsearched", options->unsearched,
              "list instead what could not be searched wholly, and why");
    verb.audited("search");
    verb.action([options](Command& command) { return run_search(command, *options); });
}

}  // namespace openarchiver::cli
