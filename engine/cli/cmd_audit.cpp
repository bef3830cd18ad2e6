#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "cli/document.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "export/time_filter.hpp"
#include "service/audit.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr std::uint64_t kDefaultLimit = 50;
constexpr std::uint64_t kPage = 1000;

struct Options {
    catalog::AuditFilter filter;
    std::optional<std::string> since;
    std::optional<std::string> until;
    std::optional<std::uint64_t> limit;
};

sdk::Status read_times(Options& options) {
    if (options.since) {
        OPENARCHIVER_TRY(options.filter.since, exporter::parse_time(*options.since));
    }
    if (options.until) {
        OPENARCHIVER_TRY(options.filter.until, exporter::parse_time(*options.until));
    }
    return {};
}

std::string detail_text(const json::value& detail) {
    const json::value arguments = member(detail, "arguments");
    std::string text;
    if (arguments.is_array()) {
        for (const json::value& one : arguments.get_array()) {
            text += (text.empty() ? "" : " ") + std::string(one.as_string());
        }
        return text;
    }
    return json::serialize(detail);
}

Outcome list(Command& command, Options& options) {
    if (const auto read = read_times(options); !read) {
        return {Origin::profile, read.error()};
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    const service::AuditJournal journal(command.profile().archive.catalog_path);
    OPENARCHIVER_TRY(const std::string text,
                     service::audit_document(*catalog, journal, options.filter, {},
                                             options.limit.value_or(kDefaultLimit)));
    if (command.json()) {
        command.document(text);
        return ExitCode::done;
    }
    const json::value document = parse_document(text);
    Table table({{"TIME"},
                 {"WHO", Table::Align::left, 40},
                 {"ACTION"},
                 {"OBJECT", Table::Align::left, 40},
                 {"DETAIL", Table::Align::left, 80}});
    for (const json::value& entry : list_of(document, "entries")) {
        table.row({time_of(entry, "at"), text_of(entry, "by"), text_of(entry, "action"),
                   text_of(entry, "object"), detail_text(member(entry, "detail"))});
    }
    command.print(table.empty() ? "No audit entry fits.\n" : table.text());
    return ExitCode::done;
}

/// All of it as JSON lines, the oldest first.
Outcome export_lines(Command& command, Options& options) {
    if (const auto read = read_times(options); !read) {
        return {Origin::profile, read.error()};
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    const service::AuditJournal journal(command.profile().archive.catalog_path);
    std::vector<std::string> lines;
    std::string after;
    do {
        OPENARCHIVER_TRY(const std::string text,
                         service::audit_document(*catalog, journal, options.filter, after, kPage));
        const json::value document = parse_document(text);
        for (const json::value& entry : list_of(document, "entries")) {
            lines.push_back(json::serialize(entry) + "\n");
        }
        after = text_of(document, "next");
    } while (!after.empty());
    std::ranges::reverse(lines);
    for (const std::string& line : lines) {
        command.print(line);
    }
    return ExitCode::done;
}

void describe_filter(Verb& verb, const std::shared_ptr<Options>& options) {
    verb.option("--by", options->filter.by, "NAME", "only what this one did");
    verb.option("--action", options->filter.action, "WORD", "only this action, such as search");
    verb.option("--object", options->filter.object, "ID", "only what was done to this");
    verb.option("--since", options->since, "TIME", "only what was done at or after this time");
    verb.option("--until", options->until, "TIME", "only what was done before this time");
}

}  // namespace

void register_audit(Verb& program) {
    Verb audit = program.verb("audit", "Who searched, read, took out or changed what.");
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb listed = audit.verb("list", "Lists what was done, the newest first.");
    describe_filter(listed, options);
    listed.option("--limit", options->limit, "N", "at most so many (default: 50)");
    listed.audited("audit_read");
    listed.action([options](Command& command) { return list(command, *options); });
    Verb exported =
        audit.verb("export", "Prints all that was done as JSON lines, the oldest first.");
    describe_filter(exported, options);
    exported.audited("audit_read");
    exported.action([options](Command& command) { return export_lines(command, *options); });
}

}  // namespace openarchiver::cli
