#include "export/output_folder.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "export/manifest.hpp"
#include "export/names.hpp"

namespace openarchiver::exporter {

namespace fs = std::filesystem;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr const char* kMarker = ".export-in-progress";
constexpr const char* kIdentity = "identity.json";
constexpr const char* kAnnounced = "paths";
constexpr const char* kManifest = "manifest.jsonl";
constexpr const char* kDocument = "export.json";
constexpr std::size_t kManifestBuffer = 64U << 10;

std::uint64_t hash_of(std::string_view path) {
    return std::hash<std::string_view>{}(path);
}

/// Calls `visit` for every line of a file; none where there is no file.
template <typename Visit>
Status each_line(const fs::path& file, Visit&& visit) {
    auto opened = File::open(file, File::Mode::read);
    if (!opened) {
        return opened.error().code == Errc::not_found ? Status() : Status(opened.error());
    }
    std::vector<std::byte> buffer(kManifestBuffer);
    std::string text;
    std::uint64_t offset = 0;
    while (true) {
        OPENARCHIVER_TRY(const std::size_t got, opened->read_at(buffer, offset));
        if (got == 0) {
            return {};
        }
        offset += got;
        text.append(reinterpret_cast<const char*>(buffer.data()), got);
        std::size_t start = 0;
        for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
            OPENARCHIVER_CHECK(visit(std::string_view(text).substr(start, end - start)));
            start = end + 1;
        }
        text.erase(0, start);
    }
}

bool has_only_marker(const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().filename() != kMarker) {
            return false;
        }
    }
    return !error;
}

}  // namespace

OutputFolder::OutputFolder(fs::path folder, File lock, File announced, File manifest)
    : folder_(std::move(folder)),
      marker_(folder_ / kMarker),
      lock_(std::move(lock)),
      announced_(std::move(announced)),
      manifest_(std::move(manifest)) {}

Result<std::string> OutputFolder::known_identity(const fs::path& folder) {
    if (const auto identity = read_text(folder / kMarker / kIdentity)) {
        return *identity;
    }
    if (const auto document = read_text(folder / kDocument)) {
        if (auto identity = identity_of_export(*document); !identity.empty()) {
            return identity;
        }
    }
    if (has_only_marker(folder)) {
        return std::string();
    }
    return Error{.code = Errc::invalid_argument,
                 .message = "the folder " + folder.string() +
                            " is not empty and holds no export: choose a new or empty folder"};
}

Status OutputFolder::take_over_earlier(const fs::path& folder, File& announced) {
    std::error_code ignored;
    fs::remove(folder / kDocument, ignored);
    OPENARCHIVER_CHECK(each_line(folder / kManifest, [&](std::string_view line) -> Status {
        return announced.write(manifest_path(line) + "\n");
    }));
    fs::remove(folder / kManifest, ignored);
    return {};
}

Result<OutputFolder> OutputFolder::open(const fs::path& folder, std::string_view identity) {
    OPENARCHIVER_CHECK(make_folders(folder));
    OPENARCHIVER_TRY(const std::string known, known_identity(folder));
    if (!known.empty() && known != identity) {
        return Error{.code = Errc::invalid_argument,
                     .message = "the folder " + folder.string() +
                                " holds another export (of another archive, format or selection): "
                                "choose a new folder, or the same options to go on with it"};
    }
    const fs::path marker = folder / kMarker;
    OPENARCHIVER_CHECK(make_folders(marker));
    OPENARCHIVER_TRY(auto lock, File::open(marker / "lock", File::Mode::append));
    if (!lock.try_lock()) {
        return Error{.code = Errc::already_exists,
                     .message = "another process exports to " + folder.string() +
                                " right now: wait for it, or choose another folder"};
    }
    OPENARCHIVER_CHECK(write_text(marker / "identity.new", identity));
    OPENARCHIVER_CHECK(rename_file(marker / "identity.new", marker / kIdentity));
    OPENARCHIVER_TRY(auto announced, File::open(marker / kAnnounced, File::Mode::append));
    OPENARCHIVER_CHECK(take_over_earlier(folder, announced));
    OPENARCHIVER_TRY(auto manifest, File::open(marker / kManifest, File::Mode::create));
    return OutputFolder(folder, std::move(lock), std::move(announced), std::move(manifest));
}

fs::path OutputFolder::temporary(std::string_view path) const {
    return marker_ / ("file-" + std::to_string(hash_of(path)));
}

Status OutputFolder::announce(std::string_view path) {
    if (path == last_announced_) {
        return {};
    }
    last_announced_ = path;
    return announced_.write(last_announced_ + "\n");
}

Status OutputFolder::add(std::string_view manifest_line, std::string_view path) {
    written_.push_back(hash_of(path));
    buffer_ += manifest_line;
    buffer_ += '\n';
    return buffer_.size() < kManifestBuffer ? Status() : flush();
}

Status OutputFolder::flush() {
    OPENARCHIVER_CHECK(manifest_.write(buffer_));
    buffer_.clear();
    return {};
}

Status OutputFolder::remove_leftovers() {
    std::ranges::sort(written_);
    return each_line(marker_ / kAnnounced, [&](std::string_view path) -> Status {
        if (!is_safe_relative(path) || std::ranges::binary_search(written_, hash_of(path))) {
            return {};
        }
        std::error_code error;
        const fs::path file = folder_ / fs::path(path);
        fs::remove(file, error);
        // Folders that are empty now; the first one that is not stays, with those above it. A
        // Maildir may be empty, but not without its parts.
        for (fs::path parent = file.parent_path();
             !error && parent != folder_ && parent.filename() != "cur" &&
             fs::is_empty(parent, error) && !error;
             parent = parent.parent_path()) {
            fs::remove(parent, error);
        }
        return {};
    });
}

Status OutputFolder::finish(std::string_view export_document) {
    OPENARCHIVER_CHECK(flush());
    OPENARCHIVER_CHECK(remove_leftovers());
    OPENARCHIVER_CHECK(rename_file(marker_ / kManifest, folder_ / kManifest));
    OPENARCHIVER_CHECK(write_text(marker_ / kDocument, export_document));
    OPENARCHIVER_CHECK(manifest_.sync_volume());
    OPENARCHIVER_CHECK(rename_file(marker_ / kDocument, folder_ / kDocument));
    std::error_code ignored;  // everything is in place; what stays is cleared by the next run
    fs::remove_all(marker_, ignored);
    return manifest_.sync_volume();
}

}  // namespace openarchiver::exporter
