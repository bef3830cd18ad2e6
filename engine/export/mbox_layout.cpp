#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "export/layout.hpp"
#include "export/mbox.hpp"
#include "export/names.hpp"

namespace openarchiver::exporter {

using sdk::Errc;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::size_t kBufferSize = 64U << 10;

/// Passes a message on in pieces of some size: of a small one all of it at once.
class GatheringSink final : public sdk::ByteSink {
public:
    explicit GatheringSink(sdk::ByteSink& target) : target_(target) {}

    Status write(std::span<const std::byte> bytes) override {
        size_ += bytes.size();
        if (gathered_.size() + bytes.size() > kBufferSize) {
            OPENARCHIVER_CHECK(flush());
            if (bytes.size() >= kBufferSize) {
                return target_.write(bytes);
            }
        }
        gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
        return {};
    }

    Status flush() {
        const Status written = target_.write(gathered_);
        gathered_.clear();
        return written;
    }

    /// How much was written to it.
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    sdk::ByteSink& target_;
    std::vector<std::byte> gathered_;
    std::uint64_t size_ = 0;
};

/// SOURCE/ACCOUNT/FOLDER/....mbox, one file for a folder. Versions come in the same order at every
/// run, so what an earlier run wrote is compared message by message and cut off where it differs.
class MboxLayout final : public Layout {
public:
    explicit MboxLayout(const OutputFolder& output) : output_(output), buffer_(kBufferSize) {}

    std::string path_of(const catalog::VersionRecord&, const Place& place) override {
        std::vector<std::string> names = {place.source, place.account};
        names.insert(names.end(), place.folder.begin(), place.folder.end());
        std::string path = escape_path(names, ".mbox");
        // Two folders whose names differ in case only would be one file on some file systems.
        const auto spelled = spelling_.emplace(lower(path), path).first;
        if (spelled->second != path) {
            path += "%~" + archive::to_hex(archive::sha256(path)).substr(0, 32);
        }
        return path + ".mbox";
    }

    Result<bool> has(const catalog::VersionRecord& version, const std::string& path) override {
        OPENARCHIVER_CHECK(open(path));
        if (at_end_) {
            return false;
        }
        OPENARCHIVER_TRY(const auto end, end_of_message(version, *end_));
        if (end) {
            *end_ = *end;
        }
        return end.has_value();
    }

    Stored store(const catalog::VersionRecord& version, const std::string& path,
                 const Read& read) override {
        if (auto other = unless_mail(version)) {
            return {.damage = std::move(other)};
        }
        if (auto done = start(path); !done) {
            return {.failure = done.error()};
        }
        at_end_ = false;
        FileSink sink(*file_);
        GatheringSink gathering(sink);
        MboxQuoter quoter(gathering);
        const std::string from_line = mbox_from_line(version.from, time_of(version));
        auto done = gathering.write(std::as_bytes(std::span(from_line)));
        if (done) {
            done = read(quoter);
        }
        if (!done && !sink.failure()) {
            if (auto cut = file_->truncate(*end_); !cut) {
                return {.failure = cut.error()};
            }
            return {.damage = done.error()};
        }
        if (done) {
            done = quoter.finish();
        }
        if (done) {
            done = gathering.flush();
        }
        if (!done) {
            return {.failure = sink.failure()};
        }
        *end_ += gathering.size();
        at_end_ = true;
        return {};
    }

    Status finish() override {
        for (const auto& [path, end] : ends_) {
            OPENARCHIVER_TRY(auto file, File::open(output_.folder() / path, File::Mode::update));
            OPENARCHIVER_CHECK(file.truncate(end));
        }
        return {};
    }

private:
    static std::string lower(std::string text) {
        std::ranges::transform(text, text.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        });
        return text;
    }

    Status open(const std::string& path) {
        if (file_ && path == path_) {
            return {};
        }
        const auto target = output_.folder() / path;
        OPENARCHIVER_CHECK(make_folders(target.parent_path()));
        OPENARCHIVER_TRY(file_, File::open(target, File::Mode::update));
        path_ = path;
        end_ = &ends_[path];
        at_end_ = false;
        return {};
    }

    /// Makes the file end where the last good message ends, and goes there.
    Status start(const std::string& path) {
        OPENARCHIVER_CHECK(open(path));
        if (at_end_) {
            return {};
        }
        OPENARCHIVER_CHECK(file_->truncate(*end_));
        return file_->seek(*end_);
    }

    /// Whether the bytes at `offset` are `text`.
    Result<bool> holds(std::string_view text, std::uint64_t offset) {
        std::string found(text.size(), '\0');
        OPENARCHIVER_TRY(const std::size_t got,
                         file_->read_at(std::as_writable_bytes(std::span(found)), offset));
        return got == text.size() && found == text;
    }

    /// Where the message at `start` ends, if it is exactly this version.
    Result<std::optional<std::uint64_t>> end_of_message(const catalog::VersionRecord& version,
                                                        std::uint64_t start) {
        const std::string from_line = mbox_from_line(version.from, time_of(version));
        OPENARCHIVER_TRY(const bool begins, holds(from_line, start));
        if (!begins) {
            return std::optional<std::uint64_t>();
        }
        std::uint64_t offset = start + from_line.size();
        HashSink hash;
        MboxUnquoter unquoter(hash, version.size);
        while (!unquoter.complete()) {
            OPENARCHIVER_TRY(const std::size_t got, file_->read_at(buffer_, offset));
            if (got == 0) {
                return std::optional<std::uint64_t>();
            }
            OPENARCHIVER_TRY(const std::size_t taken, unquoter.feed(std::span(buffer_).first(got)));
            offset += taken;
        }
        if (hash.digest() != version.content) {
            return std::optional<std::uint64_t>();
        }
        const std::string_view separator = unquoter.line_ended() ? "\n" : "\n\n";
        OPENARCHIVER_TRY(const bool ended, holds(separator, offset));
        if (!ended) {
            return std::optional<std::uint64_t>();
        }
        return std::optional(offset + separator.size());
    }

    const OutputFolder& output_;
    std::vector<std::byte> buffer_;
    std::map<std::string, std::string> spelling_;
    std::map<std::string, std::uint64_t> ends_;  // of the good messages, by path
    std::optional<File> file_;
    std::string path_;
    std::uint64_t* end_ = nullptr;  // the open file's
    bool at_end_ = false;           // it ends there, and the next write goes there
};

}  // namespace

std::unique_ptr<Layout> make_mbox_layout(const OutputFolder& output) {
    return std::make_unique<MboxLayout>(output);
}

}  // namespace openarchiver::exporter
