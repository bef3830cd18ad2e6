#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <utility>

#include "catalog/item_matcher.hpp"
#include "cli/screen.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "export/exporter.hpp"
#include "export/time_filter.hpp"
#include "search/search.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

struct Options {
    catalog::ItemFilter filter;
    std::string query;
    std::string recipient;
    bool has_attachment = false;
    std::optional<std::string> since;
    std::optional<std::string> until;
    std::optional<std::uint64_t> limit;
    std::optional<std::uint64_t> offset;
    std::string format;
    std::string output;
};

sdk::Result<std::optional<sdk::Timestamp>> time_option(const std::optional<std::string>& text) {
    if (!text) {
        return std::optional<sdk::Timestamp>();
    }
    OPENARCHIVER_TRY(const auto time, exporter::parse_time(*text));
    return std::optional(time);
}

exporter::Format format_of(const std::string& name) {
    return name == "mbox"      ? exporter::Format::mbox
           : name == "maildir" ? exporter::Format::maildir
                               : exporter::Format::eml;
}

/// null where nothing was searched for.
json::value coverage(const exporter::Options& options) {
    if (!options.found) {
        return nullptr;
    }
    json::object value;
    for (const auto& [reason, number] : options.found->unsearched) {
        value[reason] = number;
    }
    return value;
}

std::string document(const exporter::Options& options, const exporter::Summary& summary) {
    json::array exceptions;
    for (const auto& exception : summary.exceptions) {
        exceptions.push_back({{"ref", exception.ref},
                              {"version", exception.version},
                              {"source", exception.source},
                              {"account", exception.account},
                              {"code", sdk::to_string(exception.error.code)},
                              {"message", exception.error.message}});
    }
    return json::serialize(json::object{{"output", options.output.string()},
                                        {"format", exporter::to_string(options.format)},
                                        {"items", summary.items},
                                        {"versions", summary.versions},
                                        {"bytes", summary.bytes},
                                        {"kept", summary.kept},
                                        {"exceptions", std::move(exceptions)},
                                        {"coverage", coverage(options)}});
}

void print_summary(Command& command, const exporter::Options& options,
                   const exporter::Summary& summary) {
    command.print("exported " + count_text(summary.items) + " items (" +
                  count_text(summary.versions) + " versions, " + size_text(summary.bytes) +
                  ") to " + options.output.string() + "\n");
    if (summary.kept > 0) {
        command.print(count_text(summary.kept) + " of them were there already\n");
    }
    if (options.found) {
        for (const auto& [reason, number] : options.found->unsearched) {
            if (number > 0) {
                command.print("not wholly searched: " + reason + " " + count_text(number) + "\n");
            }
        }
    }
    for (const auto& exception : summary.exceptions) {
        command.print("not exported: " + exception.ref + " version " +
                      std::to_string(exception.version) + ": " + plain(exception.error.message) +
                      "\n");
    }
}

/// What the options ask of the search index, if anything.
sdk::Result<std::optional<exporter::Found>> find(Command& command, catalog::CatalogReader& catalog,
                                                 const Options& given) {
    if (given.query.empty() && given.recipient.empty() && !given.has_attachment) {
        return std::optional<exporter::Found>();
    }
    const search::Request request{.query = given.query,
                                  .filter = given.filter,
                                  .recipient = given.recipient,
                                  .has_attachment = given.has_attachment};
    OPENARCHIVER_TRY(const auto search, search::Search::open(command.profile().archive.catalog_path,
                                                             catalog, request));
    exporter::Found found{
        .query = given.query, .recipient = given.recipient, .has_attachment = given.has_attachment};
    OPENARCHIVER_TRY(const auto versions, search->versions(command.stop()));
    for (const auto& key : versions) {
        found.versions.emplace_back(key.item_key, key.version);
    }
    std::ranges::sort(found.versions);
    OPENARCHIVER_TRY(const auto coverage, search->coverage());
    found.unsearched.emplace_back("not_yet_indexed", coverage.not_yet_indexed);
    for (const auto& [reason, number] : coverage.gaps) {
        found.unsearched.emplace_back(search::to_string(reason), number);
    }
    return std::optional(std::move(found));
}

Outcome run_export(Command& command, Options& given) {
    exporter::Options options;
    options.output = std::filesystem::absolute(given.output).lexically_normal();
    options.format = format_of(given.format);
    options.offset = given.offset.value_or(0);
    options.limit = given.limit;
    OPENARCHIVER_TRY(given.filter.since, time_option(given.since));
    OPENARCHIVER_TRY(given.filter.until, time_option(given.until));
    options.filter = given.filter;

    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    if (auto known = command.check_sources(*catalog, options.filter.sources); known.error) {
        return known;
    }
    if (const auto known = catalog::check_names(*catalog, options.filter); !known) {
        // Nothing fits: no error, and seldom what is meant.
        command.announce(known.error().message);
    }
    if (auto found = find(command, *catalog, given)) {
        options.found = std::move(*found);
    } else {
        const bool usage = found.error().code == sdk::Errc::invalid_argument;
        return {usage ? Origin::profile : Origin::archive, std::move(found.error())};
    }
    OPENARCHIVER_TRY(const auto reader, command.open_reader());
    std::atomic<std::uint64_t> versions = 0;
    std::atomic<std::uint64_t> bytes = 0;
    auto summary = [&] {
        const auto shown = command.show_progress([&](std::size_t columns) {
            return fit("exporting: " + count_text(versions) + " messages, " + size_text(bytes),
                       columns);
        });
        return exporter::run(
            *reader, *catalog, options, command.clock(),
            [&](const exporter::Progress& progress) {
                versions = progress.versions;
                bytes = progress.bytes;
            },
            command.stop());
    }();
    if (!summary) {
        // Of the folder that a person chose, not of the archive.
        const bool usage = summary.error().code == sdk::Errc::invalid_argument;
        return {usage ? Origin::profile : Origin::archive, std::move(summary.error())};
    }
    if (command.json()) {
        command.document(document(options, *summary));
    } else {
        print_summary(command, options, *summary);
    }
    return summary->exceptions.empty() ? ExitCode::done : ExitCode::damage_found;
}

}  // namespace

void register_export(Verb& program) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = program.verb(
        "export",
        "Writes archived items to files, with a manifest; an interrupted export resumes.");
    verb.option("--source", options->filter.sources, "ID", "only this source; may be repeated");
    verb.option("--account", options->filter.accounts, "ACCOUNT",
                "only this account, by id or address; may be repeated");
    verb.option("--folder", options->filter.folders, "PATH",
                "only this folder and those below it, as Inbox/Projects; may be repeated");
    verb.option("--sender", options->filter.sender, "TEXT",
                "only messages with this in their From header");
    verb.option("--query", options->query, "QUERY",
                "only what `search QUERY` finds (docs/search.md)");
    verb.option("--recipient", options->recipient, "TEXT",
                "only messages with these words in their To, Cc or Bcc header");
    verb.flag("--has-attachment", options->has_attachment, "only messages with attachments");
    verb.option("--since", options->since, "TIME",
                "only messages received at or after this day or time (UTC)");
    verb.option("--until", options->until, "TIME",
                "only messages received before this day or time (UTC)");
    verb.option("--limit", options->limit, "N", "at most so many items, with all their versions");
    verb.option("--offset", options->offset, "N", "leave out so many items at the beginning");
    verb.choice("--format", options->format, {"eml", "mbox", "maildir"}, true, "what to write");
    verb.option("--output", options->output, "DIR",
                "where: a new or empty folder, or that of an interrupted export");
    verb.required("--output");
    verb.audited("export");
    verb.action([options](Command& command) { return run_export(command, *options); });
}

}  // namespace openarchiver::cli
