#include "unpack_archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <set>
#include <system_error>

#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kBlock = 256U << 10U;
constexpr std::uint64_t kMostEntries = 2'000'000;
/// Mail shrinks to a fifth or so. What grows 250-fold is there to fill disks; small ones may.
constexpr std::uint64_t kMostRatio = 250;
constexpr std::uint64_t kRatioCountsFrom = 64U << 20U;
constexpr std::uint64_t kFreeSpaceLeft = 256U << 20U;
constexpr std::size_t kMostProblems = 1000;
constexpr int kMostOpenings = 200;
constexpr std::size_t kMaxName = 200;

/// libarchive turns names into the charset of the locale. Of this thread only: the process keeps
/// its own.
class Utf8Names {
public:
    Utf8Names()
        : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)),
          before_(locale_ != nullptr ? ::uselocale(locale_) : nullptr) {}

    Utf8Names(const Utf8Names&) = delete;
    Utf8Names& operator=(const Utf8Names&) = delete;

    ~Utf8Names() {
        if (locale_ != nullptr) {
            ::uselocale(before_);
            ::freelocale(locale_);
        }
    }

private:
    locale_t locale_;
    locale_t before_;
};

/// A segment of an entry's path as a name on disk. What would be more than a name is made one.
std::string safe_name(std::string_view segment) {
    std::string name(segment == ".." ? "__" : segment);
    std::ranges::replace(name, '\0', '_');
    if (name.size() > kMaxName) {
        const std::string number = "~" + std::to_string(std::hash<std::string>()(name));
        const std::size_t dot = name.rfind('.');
        const std::string ending =
            dot != std::string::npos && name.size() - dot < 16 ? name.substr(dot) : std::string();
        name = name.substr(0, kMaxName - number.size() - ending.size()) + number + ending;
    }
    return name;
}

std::vector<std::string> safe_path(std::string_view path) {
    std::vector<std::string> names;
    while (!path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, slash);
        if (!segment.empty() && segment != ".") {
            names.push_back(safe_name(segment));
        }
        path.remove_prefix(std::min(slash + 1, path.size()));
    }
    return names;
}

sdk::Error write_failure(int error_number) {
    return {.code = sdk::Errc::resource_exhausted,
            .message = "an archive can't be unpacked beside the catalog: " +
                       std::system_category().message(error_number)};
}

using Archive = std::unique_ptr<struct archive, int (*)(struct archive*)>;

class Unpacker {
public:
    Unpacker(const FileDescriptor& file, std::string_view name, std::uint64_t most_bytes,
             Unpacked& to, const std::stop_token& stop)
        : file_(file),
          raw_(is_compressed_mbox(name)),
          most_bytes_(most_bytes),
          to_(to),
          stop_(stop),
          archive_(nullptr, ::archive_read_free) {}

    sdk::Status run() {
        OPENARCHIVER_CHECK(open());
        while (true) {
            if (stop_.stop_requested()) {
                return cancelled();
            }
            archive_entry* entry = nullptr;
            const int outcome = ::archive_read_next_header(archive_.get(), &entry);
            if (outcome == ARCHIVE_EOF) {
                return {};
            }
            if (outcome == ARCHIVE_RETRY) {
                continue;
            }
            if (outcome < ARCHIVE_WARN) {
                if (entries_ == 0) {
                    return sdk::Error{.code = sdk::Errc::corrupt,
                                      .message = "it can't be read as an archive: " + reason()};
                }
                problem("", position(), "what follows can't be read: " + reason());
                return {};
            }
            ++entries_;
            if (entries_ > kMostEntries) {
                problem("", position(), "more than 2 million entries; the rest is left out");
                return {};
            }
            OPENARCHIVER_TRY(const bool goes_on, take(entry));
            if (!goes_on) {
                return {};
            }
        }
    }

private:
    sdk::Status open() {
        archive_.reset(::archive_read_new());
        if (!archive_) {
            throw std::bad_alloc();
        }
        ::archive_read_support_filter_gzip(archive_.get());
        ::archive_read_support_filter_bzip2(archive_.get());
        ::archive_read_support_filter_xz(archive_.get());
        ::archive_read_support_filter_zstd(archive_.get());
        if (raw_) {
            ::archive_read_support_format_raw(archive_.get());
        } else {
            ::archive_read_support_format_tar(archive_.get());
            ::archive_read_support_format_zip(archive_.get());
        }
        ::lseek(file_.get(), 0, SEEK_SET);
        if (::archive_read_open_fd(archive_.get(), file_.get(), kBlock) != ARCHIVE_OK) {
            return sdk::Error{.code = sdk::Errc::corrupt,
                              .message = "it can't be read as an archive: " + reason()};
        }
        return {};
    }

    /// False: nothing more is unpacked.
    sdk::Result<bool> take(archive_entry* entry) {
        if (::archive_entry_filetype(entry) != AE_IFREG ||
            ::archive_entry_hardlink(entry) != nullptr) {
            return true;
        }
        const char* path = ::archive_entry_pathname(entry);
        if (path == nullptr) {
            path = ::archive_entry_pathname_utf8(entry);
        }
        const std::vector<std::string> names =
            safe_path(path != nullptr ? std::string(path) : "entry-" + std::to_string(entries_));
        if (names.empty() || names.size() > 64) {
            return true;
        }
        const std::uint64_t offset = position();
        if (::archive_entry_is_encrypted(entry) == 1) {
            problem(joined(names), offset, "it is encrypted; unpack it and archive that");
            return true;
        }
        return extract(names, offset,
                       ::archive_entry_mtime_is_set(entry) != 0 ? ::archive_entry_mtime(entry) : 0);
    }

    sdk::Result<bool> extract(const std::vector<std::string>& names, std::uint64_t offset,
                              time_t modified) {
        std::size_t count = 0;
        sdk::Result<bool> goes_on = read_block(count);
        const bool damaged_at_once = !goes_on;
        const bool in_maildir = names.size() >= 2 && (names[names.size() - 2] == "cur" ||
                                                      names[names.size() - 2] == "new");
        FileKind kind = in_maildir ? FileKind::message : kind_by_name(names.back());
        if (kind == FileKind::other) {
            kind = kind_by_front({block_.data(), std::min(count, kKindBytes)});
        }
        if (kind == FileKind::other) {
            return damaged_at_once ? damaged(joined(names), offset, false)
                                   : sdk::Result<bool>(true);
        }
        OPENARCHIVER_TRY(const std::string path, free_path(names, in_maildir));
        if (path.empty()) {
            problem(joined(names), offset, "a folder of the archive has the name of a file");
            return true;
        }
        if (damaged_at_once) {
            return damaged(path, offset, false);
        }
        const FileDescriptor out(::openat(to_.folder.get(), path.c_str(),
                                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                          0600));
        if (!out.valid()) {
            return write_failure(errno);
        }
        while (count > 0) {
            if (stop_.stop_requested()) {
                return cancelled();
            }
            if (const std::string why = too_much(count); !why.empty()) {
                ::unlinkat(to_.folder.get(), path.c_str(), 0);
                problem(path, offset, why);
                return false;
            }
            OPENARCHIVER_CHECK(write(out, count));
            goes_on = read_block(count);
            if (!goes_on) {
                const bool keep = kind == FileKind::mbox;
                if (!keep) {
                    ::unlinkat(to_.folder.get(), path.c_str(), 0);
                }
                return damaged(path, offset, keep);
            }
        }
        const std::array<timespec, 2> times{{{modified, 0}, {modified, 0}}};
        if (modified > 0) {
            ::futimens(out.get(), times.data());
        }
        return true;
    }

    /// False: the entry is damaged.
    sdk::Result<bool> read_block(std::size_t& count) {
        block_.resize(kBlock);
        la_ssize_t read = ARCHIVE_RETRY;
        while (read == ARCHIVE_RETRY) {
            read = ::archive_read_data(archive_.get(), block_.data(), block_.size());
        }
        count = read > 0 ? static_cast<std::size_t>(read) : 0;
        fatal_ = read == ARCHIVE_FATAL;
        if (read < 0) {
            return sdk::Error{.code = sdk::Errc::corrupt, .message = reason()};
        }
        return true;
    }

    /// Goes on behind a damaged entry. libarchive gives a zip file up at an entry that can't be
    /// decompressed, although its directory tells where the others are.
    sdk::Result<bool> damaged(const std::string& path, std::uint64_t offset, bool beginning_kept) {
        problem(path, offset, "it is damaged: " + reason(), beginning_kept);
        if (!fatal_) {
            return true;
        }
        const bool zip =
            (::archive_format(archive_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
        if (zip && ++openings_ < kMostOpenings) {
            OPENARCHIVER_CHECK(open());
            std::uint64_t skipped = 0;
            archive_entry* entry = nullptr;
            while (skipped < entries_ && !stop_.stop_requested() &&
                   ::archive_read_next_header(archive_.get(), &entry) >= ARCHIVE_WARN) {
                ++skipped;
            }
            if (skipped == entries_) {
                return true;
            }
        }
        problem("", offset, "what follows the damaged entry can't be read");
        return false;
    }

    [[nodiscard]] std::string too_much(std::size_t more) const {
        const std::uint64_t bytes = to_.bytes + more;
        if (bytes > most_bytes_) {
            return "the archive unpacks to more than " + std::to_string(most_bytes_ >> 30U) +
                   " GiB; the rest is left out. Raise \"unpacked_gib\" if that is right";
        }
        struct stat status{};
        const bool known = ::fstat(file_.get(), &status) == 0;
        const auto packed = static_cast<std::uint64_t>(known ? status.st_size : 0);
        if (bytes > kRatioCountsFrom && bytes / kMostRatio > packed) {
            return "the archive unpacks to more than 250 times its size, as no mail does; the rest "
                   "is left out";
        }
        return {};
    }

    sdk::Status write(const FileDescriptor& out, std::size_t count) {
        struct statvfs space{};
        if (::fstatvfs(out.get(), &space) == 0 &&
            space.f_bavail * space.f_frsize < kFreeSpaceLeft + count) {
            return write_failure(ENOSPC);
        }
        std::size_t done = 0;
        while (done < count) {
            const ssize_t written = ::write(out.get(), block_.data() + done, count - done);
            if (written < 0 && errno != EINTR) {
                return write_failure(errno);
            }
            done += written > 0 ? static_cast<std::size_t>(written) : 0;
        }
        to_.bytes += count;
        return {};
    }

    /// Where the entry goes, with its folders made. Of entries of one name the later ones are
    /// numbered. Empty: there is no place for it.
    sdk::Result<std::string> free_path(const std::vector<std::string>& names, bool in_maildir) {
        std::string path;
        for (std::size_t i = 0; i + 1 < names.size(); ++i) {
            const bool last = i + 2 == names.size();
            if (last && in_maildir) {
                for (const char* part : {"cur", "new", "tmp"}) {
                    OPENARCHIVER_TRY(const bool made, make_folder(path + part));
                    if (!made) {
                        return std::string();
                    }
                }
            }
            path += names[i];
            OPENARCHIVER_TRY(const bool made, make_folder(path));
            if (!made) {
                return std::string();
            }
            path += '/';
        }
        const std::string& name = names.back();
        for (int number = 1; number < 1000; ++number) {
            std::string numbered = path;
            if (number > 1) {
                numbered += std::to_string(number);
                numbered += '~';  // before the name: its ending says what it is
            }
            numbered += name;
            struct stat status{};
            if (::fstatat(to_.folder.get(), numbered.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                return numbered;
            }
        }
        return std::string();
    }

    sdk::Result<bool> make_folder(const std::string& path) {
        if (made_.contains(path) || ::mkdirat(to_.folder.get(), path.c_str(), 0700) == 0) {
            made_.insert(path);
            return true;
        }
        if (errno == EEXIST || errno == ENOTDIR) {
            return false;
        }
        return write_failure(errno);
    }

    void problem(std::string path, std::uint64_t offset, std::string what,
                 bool beginning_kept = false) {
        if (to_.problems.size() < kMostProblems) {
            to_.problems.push_back({.path = std::move(path),
                                    .offset = offset,
                                    .what = std::move(what),
                                    .beginning_kept = beginning_kept});
        }
    }

    [[nodiscard]] std::uint64_t position() const {
        return static_cast<std::uint64_t>(
            std::max<la_int64_t>(0, ::archive_read_header_position(archive_.get())));
    }

    [[nodiscard]] std::string reason() const {
        const char* text = ::archive_error_string(archive_.get());
        return text != nullptr ? display_text(text) : "its bytes make no sense";
    }

    static std::string joined(const std::vector<std::string>& names) {
        std::string path;
        for (const std::string& name : names) {
            path = join_path(path, name);
        }
        return path;
    }

    const FileDescriptor& file_;
    const bool raw_;
    const std::uint64_t most_bytes_;
    Unpacked& to_;
    const std::stop_token& stop_;
    Archive archive_;
    std::string block_;
    std::uint64_t entries_ = 0;
    int openings_ = 0;
    bool fatal_ = false;
    std::set<std::string> made_;
};

}  // namespace

sdk::Status unpack_archive(const FileDescriptor& file, std::string_view name,
                           std::uint64_t most_bytes, Unpacked& to, const std::stop_token& stop) {
    const Utf8Names names;
    return Unpacker(file, name, most_bytes, to, stop).run();
}

}  // namespace openarchiver::mailfiles
