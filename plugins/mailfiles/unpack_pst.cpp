#include "unpack_pst.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "child_process.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

namespace fs = std::filesystem;

struct Written {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
    fs::path newest = {};
};

Written look_at(const fs::path& folder) {
    Written written;
    fs::file_time_type newest = fs::file_time_type::min();
    std::error_code failure;
    for (auto entry = fs::recursive_directory_iterator(folder, failure);
         !failure && entry != fs::recursive_directory_iterator(); entry.increment(failure)) {
        std::error_code ignored;
        if (!entry->is_regular_file(ignored)) {
            continue;
        }
        written.bytes += entry->file_size(ignored);
        ++written.files;
        const auto time = entry->last_write_time(ignored);
        if (time >= newest) {
            newest = time;
            written.newest = entry->path();
        }
    }
    return written;
}

/// The number in front of `text`'s first ", N items skipped.".
std::uint64_t skipped_in(std::string_view line) {
    constexpr std::string_view kEnd = " items skipped.";
    const std::size_t end = line.rfind(kEnd);
    if (end == std::string_view::npos) {
        return 0;
    }
    const std::size_t begin = line.rfind(' ', end - 1) + 1;
    std::uint64_t count = 0;
    std::from_chars(line.data() + begin, line.data() + end, count);
    return count;
}

/// readpst says for each folder `\t"Inbox" - 3 items done, 1 items skipped.`
std::string skipped_items(std::string_view output) {
    std::uint64_t all = 0;
    std::string folders;
    while (!output.empty()) {
        const std::size_t newline = std::min(output.find('\n'), output.size());
        const std::string_view line = output.substr(0, newline);
        output.remove_prefix(std::min(newline + 1, output.size()));
        const std::uint64_t count = skipped_in(line);
        const std::size_t first = line.find('"');
        const std::size_t last = line.rfind('"');
        if (count == 0 || first == last) {
            continue;
        }
        all += count;
        constexpr std::size_t kMostText = 500;
        if (folders.size() < kMostText) {
            folders += (folders.empty() ? "" : ", ") +
                       display_text(line.substr(first + 1, last - first - 1)) + ": " +
                       std::to_string(count);
        }
    }
    return all == 0 ? std::string()
                    : "readpst left out " + std::to_string(all) + " items that it can't convert (" +
                          folders + ")";
}

std::string last_line(std::string_view output) {
    while (output.ends_with('\n')) {
        output.remove_suffix(1);
    }
    constexpr std::size_t kMostText = 200;
    const std::size_t newline = output.rfind('\n');
    return display_text(
        output.substr(newline == std::string_view::npos ? 0 : newline + 1).substr(0, kMostText));
}

}  // namespace

sdk::Status unpack_pst(const FileDescriptor& file, const Settings& settings, Unpacked& to,
                       const std::stop_token& stop) {
    const std::string program = find_program(settings.readpst);
    if (program.empty()) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "PST files are read by readpst, and " + settings.readpst +
                                     " is not there; install pst-utils"};
    }
    to.reconstructed = true;
    const auto object = [&]() -> std::string {
        return look_at(to.place.path).bytes <= settings.unpacked_bytes
                   ? std::string()
                   : "it wrote more than " + std::to_string(settings.unpacked_bytes >> 30U) +
                         " GiB (\"unpacked_gib\")";
    };
    // -e: a message to a file; -D: deleted items as well; -j 0: no processes beside it.
    OPENARCHIVER_TRY(
        const ProcessEnd end,
        run_process(program,
                    {"-e", "-D", "-j", "0", "-o", to.place.path.string(), "/proc/self/fd/3"}, file,
                    {.time = settings.readpst_time,
                     .memory = settings.readpst_memory,
                     .file_size = settings.unpacked_bytes},
                    object, stop));
    Written written = look_at(to.place.path);
    if (!end.failure.empty()) {
        if (written.files > 0) {
            // It may have been in the middle of it.
            std::error_code ignored;
            fs::remove(written.newest, ignored);
        }
        const std::string why = "readpst can't read it to its end: " + end.failure +
                                (end.output.empty() ? "" : " (" + last_line(end.output) + ")");
        if (written.files <= 1) {
            return sdk::Error{.code = sdk::Errc::corrupt, .message = why};
        }
        to.problems.push_back({.what = why});
    }
    if (std::string skipped = skipped_items(end.output); !skipped.empty()) {
        to.problems.push_back({.offset = 1, .what = std::move(skipped)});
    }
    to.bytes = written.bytes;
    return {};
}

}  // namespace openarchiver::mailfiles
