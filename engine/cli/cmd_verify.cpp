#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <utility>

#include "cli/screen.hpp"
#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "evidence/head.hpp"
#include "verify/verify.hpp"

namespace openarchiver::cli {

namespace {

struct Options {
    bool quick = false;
    std::optional<std::string> part;
    std::optional<std::string> head;
};

constexpr std::uintmax_t kMaxHeadFile = std::uintmax_t{16} << 20;

sdk::Result<std::string> read_head(const std::string& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    std::ifstream stream(file, std::ios::binary);
    if (error || !stream || size > kMaxHeadFile) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the kept head " + file + " can't be read" +
                                     (error ? ": " + error.message() : std::string())};
    }
    std::string text(size, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(size));
    if (const auto head = evidence::parse_head(text); !head) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the file " + file + ": " + head.error().message};
    }
    return text;
}

/// "2/7"
std::optional<verify::Part> parse_part(std::string_view text) {
    verify::Part part;
    const char* const end = text.data() + text.size();
    const auto number = std::from_chars(text.data(), end, part.number);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != '/') {
        return std::nullopt;
    }
    const auto of = std::from_chars(number.ptr + 1, end, part.of);
    if (of.ec != std::errc() || of.ptr != end || part.number == 0 || part.number > part.of) {
        return std::nullopt;
    }
    return part;
}

std::string progress_line(const verify::Progress& progress) {
    if (progress.packs_total == 0) {
        return "verifying: " + count_text(progress.segments) + " segments of the log";
    }
    return "verifying: pack " + count_text(progress.packs) + " of " +
           count_text(progress.packs_total) + ", " + size_text(progress.bytes) + " of mail";
}

void print_report(Command& command, const verify::Report& report) {
    for (const auto& finding : report.findings) {
        std::string line = std::string(verify::is_damage(finding.kind) ? "DAMAGE " : "note ") +
                           std::string(verify::to_string(finding.kind)) + " " +
                           plain(finding.object) + ": " + plain(finding.message);
        if (finding.affected.count > 0) {
            line += "; items affected: " + count_text(finding.affected.count) + " (";
            for (const auto& ref : finding.affected.refs) {
                line += (line.back() == '(' ? "" : " ") + ref;
            }
            const auto beyond = finding.affected.count - finding.affected.refs.size();
            line += beyond > 0 ? " and " + count_text(beyond) + " more)" : ")";
            for (const auto& account : finding.affected.accounts) {
                line +=
                    (&account == finding.affected.accounts.data() ? " of " : ", ") + plain(account);
            }
        }
        command.print(line + "\n");
    }
    command.print("checked " + count_text(report.segments) + " segments and " +
                  count_text(report.packs_checked) + " of " + count_text(report.packs) + " packs");
    command.print(report.quick ? std::string(" (presence and size only)\n")
                               : ", read " + count_text(report.contents_checked) + " contents (" +
                                     size_text(report.bytes_checked) + ")\n");
    if (report.newest_head) {
        command.print("head " + std::to_string(report.newest_head->number) + " of " +
                      time_text(report.newest_head->time) + " covers " +
                      count_text(report.newest_head->size) + " versions\n");
    }
    const std::string rollback(report.rollback());
    command.print("rollback and removal of the tail: " +
                  (rollback == "none"
                       ? "none before the kept head " + std::to_string(*report.kept_head) +
                             "; what came after it is not detectable"
                   : rollback == "detected" ? "DETECTED"
                   : report.kept_head       ? "not detectable: the log or a head is damaged"
                                            : "not detectable without a kept head (--head FILE)") +
                  "\n");
    const bool only_catalog =
        std::ranges::all_of(report.findings, [](const verify::Finding& finding) {
            return !verify::is_damage(finding.kind) || finding.object.starts_with("catalog");
        });
    command.print(!report.damaged() ? "no damage found\n"
                  : only_catalog    ? "the archive is sound; its catalog is DAMAGED or missing\n"
                                    : "the archive is DAMAGED\n");
}

Outcome run_verify(Command& command, const Options& given) {
    verify::Options options;
    options.quick = given.quick;
    options.catalog_folder = command.profile().archive.catalog_path;
    if (given.part) {
        options.part = parse_part(*given.part);
        if (!options.part) {
            return Outcome::usage("--part takes N/M with N from 1 to M, as 2/7, not \"" +
                                  *given.part + "\"");
        }
    }
    if (given.head) {
        auto head = read_head(*given.head);
        if (!head) {
            return Outcome::usage(head.error().message);
        }
        options.kept_head = std::move(*head);
    }
    std::mutex mutex;  // guards seen
    verify::Progress seen;
    std::unique_ptr<access::ArchiveReader> reader;
    auto report = [&] {
        const auto shown = command.show_progress([&](std::size_t columns) {
            const std::lock_guard lock(mutex);
            return fit(progress_line(seen), columns);
        });
        return verify::run(
            [&]() -> sdk::Result<archive::Archive*> {
                OPENARCHIVER_TRY(reader, command.open_reader());
                return &reader->archive();
            },
            options,
            [&](const verify::Progress& progress) {
                const std::lock_guard lock(mutex);
                seen = progress;
            },
            command.stop());
    }();
    if (!report) {
        if (report.error().code == sdk::Errc::invalid_argument) {
            return Outcome::usage(report.error().message);
        }
        // What opens the archive (its marker, its keyring) is damaged.
        Outcome outcome = report.error();
        if (report.error().code == sdk::Errc::corrupt) {
            outcome.code = ExitCode::damage_found;
        }
        return outcome;
    }
    if (command.json()) {
        command.document(verify::to_json(*report));
    } else {
        print_report(command, *report);
    }
    return report->damaged() ? ExitCode::damage_found : ExitCode::done;
}

}  // namespace

void register_verify(Verb& program) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = program.verb(
        "verify", "Reads the archive back and proves it: every object, every byte, the chain.");
    verb.flag("--quick", options->quick, "chain, presence and sizes only; no content is read");
    verb.option("--part", options->part, "N/M",
                "only this part of the packs, so that M runs check all of them");
    verb.option("--head", options->head, "FILE",
                "a head that was kept elsewhere: nothing before it was rewritten or removed");
    verb.action([options](Command& command) { return run_verify(command, *options); });
}

}  // namespace openarchiver::cli
