#include <boost/json.hpp>
#include <cmath>

#include "cli/table.hpp"
#include "cli/verbs.hpp"

namespace openarchiver::cli {

namespace {

struct Savings {
    std::int64_t deduplication;
    /// Negative where compositions take more than decoding saves.
    std::int64_t decoding;
    /// Negative where the packs' own structure takes more than compression saves.
    std::int64_t compression;
};

Savings savings_of(const catalog::Totals& totals) {
    const auto difference = [](std::uint64_t a, std::uint64_t b) {
        return static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b);
    };
    const std::uint64_t unique = totals.content_bytes - totals.shared_bytes;
    return {difference(totals.version_bytes, unique), difference(unique, totals.raw_bytes),
            difference(totals.raw_bytes, totals.pack_bytes)};
}

std::string share(std::int64_t part, std::uint64_t whole) {
    if (whole == 0) {
        return "";
    }
    const auto percent =
        std::lround(100.0 * static_cast<double>(part) / static_cast<double>(whole));
    return " (" + std::to_string(percent) + "%)";
}

std::string signed_size(std::int64_t bytes) {
    return bytes < 0 ? "-" + size_text(static_cast<std::uint64_t>(-bytes))
                     : size_text(static_cast<std::uint64_t>(bytes));
}

Outcome run_stats(Command& command) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const auto totals, catalog->totals());
    const auto saved = savings_of(totals);
    if (command.json()) {
        command.document(boost::json::serialize(
            boost::json::object{{"items", totals.items},
                                {"versions", totals.versions},
                                {"contents", totals.contents},
                                {"parts", totals.parts},
                                {"packs", totals.packs},
                                {"bytes_in", totals.version_bytes},
                                {"bytes_unique", totals.content_bytes},
                                {"bytes_stored", totals.pack_bytes},
                                {"saved_by_deduplication", saved.deduplication},
                                {"saved_by_decoding", saved.decoding},
                                {"saved_by_compression", saved.compression}}));
        return ExitCode::done;
    }
    Table table({{.name = "archive"}, {.name = "total", .align = Table::Align::right}});
    table.row({"items", count_text(totals.items)});
    table.row({"versions", count_text(totals.versions)});
    table.row({"contents", count_text(totals.contents)});
    table.row({"parts", count_text(totals.parts)});
    table.row({"packs", count_text(totals.packs)});
    table.row({"bytes in", size_text(totals.version_bytes)});
    table.row({"bytes stored", size_text(totals.pack_bytes)});
    table.row({"saved by deduplication", signed_size(saved.deduplication) +
                                             share(saved.deduplication, totals.version_bytes)});
    table.row({"saved by decoding",
               signed_size(saved.decoding) + share(saved.decoding, totals.version_bytes)});
    table.row({"saved by compression",
               signed_size(saved.compression) + share(saved.compression, totals.version_bytes)});
    command.print(table.text());
    return ExitCode::done;
}

}  // namespace

void register_stats(Verb& program) {
    Verb verb =
        program.verb("stats", "Shows items, bytes in and stored, and what was saved on the way.");
    verb.action([](Command& command) { return run_stats(command); });
}

}  // namespace openarchiver::cli
