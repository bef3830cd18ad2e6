#include <boost/json.hpp>
#include <map>
#include <memory>
#include <utility>

#include "archive/digest.hpp"
#include "archive/spool.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "service/item_document.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr std::uint64_t kSpoolInMemory = std::uint64_t{1} << 20;
constexpr std::size_t kPieceSize = std::size_t{256} << 10;

struct Options {
    std::string ref;
    bool raw = false;
    std::optional<std::uint64_t> version;
};

std::string joined(const std::vector<std::string>& path) {
    std::string text;
    for (const auto& name : path) {
        text += (text.empty() ? "" : "/") + plain(name);
    }
    return text;
}

std::string text_of(const service::ItemWithHistory& item) {
    const auto& newest = item.versions.back();
    std::string folders;
    for (const auto& path : item.folders) {
        folders += (folders.empty() ? "" : ", ") + joined(path);
    }
    Table properties({{.name = "item"}, {.name = newest.ref}});
    properties.row({"subject", plain(newest.subject)});
    properties.row({"from", plain(newest.from)});
    properties.row({"received", time_text(newest.received_at)});
    properties.row({"message id", plain(newest.message_id)});
    properties.row({"account", plain(newest.address) + " (source " + newest.source + ")"});
    properties.row({newest.left_at == sdk::Timestamp{} ? "folders" : "last folder", folders});
    properties.row({"in mailbox", newest.left_at == sdk::Timestamp{}
                                      ? "yes"
                                      : "no, left by " + time_text(newest.left_at)});
    Table versions({{.name = "version", .align = Table::Align::right},
                    {.name = "archived"},
                    {.name = "size", .align = Table::Align::right},
                    {.name = "sha256"},
                    {.name = "fidelity"}});
    for (const auto& version : item.versions) {
        versions.row({std::to_string(version.version), time_text(version.archived_at),
                      size_text(version.size), archive::to_hex(version.content),
                      version.fidelity == catalog::Fidelity::exact ? "exact" : "reconstructed"});
    }
    Table history({{.name = "time"}, {.name = "event"}, {.name = "folder"}});
    for (const auto& record : item.history) {
        const auto path = item.paths.find(record.folder_key);
        history.row({time_text(record.at), std::string(service::to_text(record.kind)),
                     path == item.paths.end() ? std::string() : joined(path->second)});
    }
    return properties.text() + "\n" + versions.text() + "\n" + history.text();
}

Outcome write_raw(Command& command, catalog::CatalogReader& catalog,
                  const catalog::VersionRecord& version) {
    OPENARCHIVER_TRY(const auto reader, command.open_reader());
    // Whole before the first byte is written: of a damaged content nothing must come out.
    archive::Spool spool(command.profile().archive.catalog_path / "spool", kSpoolInMemory);
    if (auto read = reader->read(catalog, version, spool, command.stop()); !read) {
        const auto code = read.error().code;
        const bool damage = code == sdk::Errc::corrupt || code == sdk::Errc::not_found;
        Outcome outcome = std::move(read.error());
        if (damage) {
            outcome.code = ExitCode::damage_found;
        }
        return outcome;
    }
    OPENARCHIVER_CHECK(spool.rewind());
    std::vector<std::byte> piece(kPieceSize);
    while (true) {
        OPENARCHIVER_TRY(const std::size_t got, spool.read(piece));
        if (got == 0) {
            return ExitCode::done;
        }
        OPENARCHIVER_CHECK(command.write(std::span(piece).first(got)));
    }
}

Outcome run_show(Command& command, const Options& options) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    auto item = service::load_item(*catalog, options.ref);
    if (!item && item.error().code == sdk::Errc::not_found) {
        return Outcome::usage(item.error().message);
    }
    OPENARCHIVER_CHECK(item);
    const catalog::VersionRecord* wanted = &item->versions.back();
    if (options.version) {
        wanted = nullptr;
        for (const auto& version : item->versions) {
            if (static_cast<std::uint64_t>(version.version) == *options.version) {
                wanted = &version;
            }
        }
        if (wanted == nullptr) {
            return Outcome::usage("item " + options.ref + " has versions 1 to " +
                                  std::to_string(item->versions.back().version) + ", not " +
                                  std::to_string(*options.version));
        }
    }
    if (options.raw) {
        return write_raw(command, *catalog, *wanted);
    }
    if (options.version) {
        item->versions = {catalog::VersionRecord(*wanted)};
    }
    if (command.json()) {
        command.document(service::item_document(*item));
    } else {
        command.print(text_of(*item));
    }
    return ExitCode::done;
}

}  // namespace

void register_show(Verb& program) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = program.verb("show", "Shows one archived item with its versions and history.");
    verb.argument("REF", options->ref, "the item, as exports and lists name it");
    verb.flag("--raw", options->raw, "write its exact bytes to standard output");
    verb.option("--version", options->version, "N", "this version instead of the newest");
    verb.audited(
        [options] { return AuditedAct{options->raw ? "download" : "read", options->ref}; });
    verb.action([options](Command& command) { return run_show(command, *options); });
}

}  // namespace openarchiver::cli
