#include "store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <openarchiver/sdk/object_key.hpp>
#include <optional>
#include <vector>

namespace appliance {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 256U << 10U;
constexpr mode_t kLocked = 0400;

sdk::Error cancelled() {
    return {.code = sdk::Errc::cancelled, .message = "stopped"};
}

sdk::Error failed(const char* what, const fs::path& path) {
    const int code = errno;
    return {.code = code == ENOENT || code == ENOTDIR ? sdk::Errc::not_found
                    : code == EEXIST                  ? sdk::Errc::already_exists
                    : code == ENOSPC                  ? sdk::Errc::resource_exhausted
                    : code == EACCES || code == EROFS ? sdk::Errc::permission_denied
                                                      : sdk::Errc::unavailable,
            .message = std::string(what) + " " + path.string() + " failed: " + std::strerror(code)};
}

/// An open file, closed with it.
class File {
public:
    File(const fs::path& path, int flags)
        : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}

    File(const File&) = delete;
    File& operator=(const File&) = delete;

    ~File() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    [[nodiscard]] int get() const { return descriptor_; }

    explicit operator bool() const { return descriptor_ >= 0; }

private:
    int descriptor_;
};

/// A file on its way to an object: gone when this is.
struct Incoming {
    explicit Incoming(fs::path file) : path(std::move(file)) {}

    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;

    ~Incoming() { ::unlink(path.c_str()); }

    fs::path path;
};

sdk::Status sync_folder(const fs::path& folder) {
    const File file(folder, O_RDONLY | O_DIRECTORY);
    if (!file || ::fsync(file.get()) != 0) {
        return failed("syncing", folder);
    }
    return {};
}

/// All bytes of the source, durable.
sdk::Status fill(const fs::path& path, sdk::ByteSource& source, const std::stop_token& stop) {
    const File file(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) {
        return failed("creating", path);
    }
    std::vector<std::byte> buffer(kPiece);
    std::uint64_t total = 0;
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(buffer));
        if (count == 0) {
            break;
        }
        for (std::size_t done = 0; done < count;) {
            const ssize_t written = ::write(file.get(), buffer.data() + done, count - done);
            if (written < 0 && errno != EINTR) {
                return failed("writing", path);
            }
            done += written > 0 ? static_cast<std::size_t>(written) : 0;
        }
        total += count;
    }
    if (total != source.size()) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the source is not as long as it says"};
    }
    return ::fsync(file.get()) == 0 ? sdk::Status() : failed("syncing", path);
}

sdk::Timestamp timestamp(const struct timespec& time) {
    return sdk::Timestamp(std::chrono::milliseconds(time.tv_sec * 1000 + time.tv_nsec / 1'000'000));
}

/// The end of a file's lock; nothing: it never was locked.
std::optional<sdk::Timestamp> locked_until(const struct stat& status) {
    return (status.st_mode & 07777) == kLocked ? std::optional(timestamp(status.st_atim))
                                               : std::nullopt;
}

/// What the appliance itself does.
sdk::Status refuse_locked(const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && locked_until(status) &&
        std::chrono::system_clock::now() < *locked_until(status)) {
        return sdk::Error{
            .code = sdk::Errc::permission_denied,
            .message = "the appliance keeps " + path.string() + " as it is until its lock is over"};
    }
    return {};
}

}  // namespace

sdk::Status Store::prepare() {
    std::error_code error;
    fs::create_directories(objects_, error);
    fs::create_directories(incoming_, error);
    fs::create_directories(versions_, error);
    if (error) {
        return sdk::Error{
            .code = sdk::Errc::unavailable,
            .message = "creating " + objects_.string() + " failed: " + error.message()};
    }
    return {};
}

sdk::StorageCapabilities Store::capabilities() const {
    return {.put_if_absent = true, .max_object_bytes = 1ULL << 40U, .parallelism = 8, .lock = true};
}

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                       std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    const fs::path target = file_of(key);
    struct stat status{};
    if (mode == sdk::PutMode::if_absent && ::stat(target.c_str(), &status) == 0) {
        return sdk::Error{.code = sdk::Errc::already_exists, .message = "the object is there"};
    }
    // Whole objects: written beside, then put in place in one step.
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    const Incoming incoming(incoming_ /
                            (std::to_string(now) + "-" + std::to_string(::getpid()) + "-" +
                             std::to_string(reinterpret_cast<std::uintptr_t>(this)) + "-" +
                             std::to_string(next_++)));
    OPENARCHIVER_CHECK(fill(incoming.path, source, stop));
    std::error_code error;
    fs::create_directories(target.parent_path(), error);
    if (mode == sdk::PutMode::replace) {
        OPENARCHIVER_CHECK(refuse_locked(target));
        // A second name for what is replaced; there may be nothing to replace.
        const fs::path kept = versions_ / incoming.path.filename();
        if (::link(target.c_str(), kept.c_str()) == 0) {
            OPENARCHIVER_CHECK(sync_folder(versions_));
        } else if (errno != ENOENT) {
            return failed("keeping the earlier version of", target);
        }
    }
    const int placed = mode == sdk::PutMode::if_absent
                           ? ::link(incoming.path.c_str(), target.c_str())
                           : ::rename(incoming.path.c_str(), target.c_str());
    if (placed != 0) {
        return failed("creating", target);
    }
    // Durable: the names on the way to the object, too.
    for (fs::path folder = target.parent_path(); folder != objects_.parent_path();
         folder = folder.parent_path()) {
        OPENARCHIVER_CHECK(sync_folder(folder));
    }
    return {};
}

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    const fs::path path = file_of(key);
    const File file(path, O_RDONLY | O_NOATIME);
    struct stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) {
        return failed("opening", path);
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (range.offset > size || range.length.value_or(0) > size - range.offset) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the range reaches beyond the end of the object"};
    }
    std::uint64_t offset = range.offset;
    std::uint64_t left = range.length.value_or(size - offset);
    std::vector<std::byte> buffer(kPiece);
    do {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
        const ssize_t count =
            wanted == 0 ? 0
                        : ::pread(file.get(), buffer.data(), wanted, static_cast<off_t>(offset));
        if (count < 0 || (count == 0 && left > 0)) {
            return failed("reading", path);
        }
        if (count > 0) {
            OPENARCHIVER_CHECK(
                sink.write(std::span(buffer).first(static_cast<std::size_t>(count))));
        }
        offset += static_cast<std::uint64_t>(count);
        left -= static_cast<std::uint64_t>(count);
    } while (left > 0);
    return {};
}

sdk::Result<sdk::ObjectInfo> Store::stat(std::string_view key, std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    if (stop.stop_requested()) {
        return cancelled();
    }
    struct stat status{};
    if (::stat(file_of(key).c_str(), &status) != 0) {
        return failed("reading", file_of(key));
    }
    if (!S_ISREG(status.st_mode)) {
        return sdk::Error{.code = sdk::Errc::not_found, .message = "no such object"};
    }
    return sdk::ObjectInfo{.key = std::string(key),
                           .size = static_cast<std::uint64_t>(status.st_size),
                           .modified_at = timestamp(status.st_mtim)};
}

sdk::Status Store::list(std::string_view prefix, std::string_view start_after,
                        sdk::ObjectListSink& sink, std::stop_token stop) {
    // All keys in memory, to sort them as the contract says: a store that lists in byte order by
    // itself is asked page by page instead.
    std::vector<std::string> keys;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(objects_, error), end; !error && entry != end;
         entry.increment(error)) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        std::error_code gone;
        if (entry->is_regular_file(gone)) {
            std::string key = entry->path().lexically_relative(objects_).string();
            if (key.starts_with(prefix) && key > start_after) {
                keys.push_back(std::move(key));
            }
        }
    }
    if (error) {
        return sdk::Error{
            .code = sdk::Errc::unavailable,
            .message = "listing " + objects_.string() + " failed: " + error.message()};
    }
    std::sort(keys.begin(), keys.end());
    for (const std::string& key : keys) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const auto info = stat(key, {});
        if (!info) {
            continue;  // removed since
        }
        if (!sink.object(*info)) {
            break;
        }
    }
    return stop.stop_requested() ? sdk::Status(cancelled()) : sdk::Status();
}

sdk::Status Store::remove(std::string_view key, std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    if (stop.stop_requested()) {
        return cancelled();
    }
    OPENARCHIVER_CHECK(refuse_locked(file_of(key)));
    if (::unlink(file_of(key).c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
        return failed("removing", file_of(key));
    }
    return {};
}

sdk::Result<sdk::Capacity> Store::capacity(std::stop_token) {
    std::error_code error;
    const fs::space_info space = fs::space(objects_, error);
    if (error) {
        return sdk::Error{.code = sdk::Errc::unavailable, .message = error.message()};
    }
    return sdk::Capacity{.free_bytes = space.available, .total_bytes = space.capacity};
}

sdk::Status Store::lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) {
    OPENARCHIVER_TRY(const sdk::Protection now, protection(key, stop));
    if (now.locked_until && *now.locked_until >= until) {
        return {};
    }
    const fs::path path = file_of(key);
    const auto milliseconds = until.time_since_epoch().count();
    const std::array<struct timespec, 2> times{
        {{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000},
         {.tv_sec = 0, .tv_nsec = UTIME_OMIT}}};
    // In this order: read-only is what commits the time.
    const File file(path, O_RDONLY | O_NOATIME);
    if (!file || ::futimens(file.get(), times.data()) != 0 || ::fchmod(file.get(), kLocked) != 0 ||
        ::fsync(file.get()) != 0) {
        return failed("locking", path);
    }
    OPENARCHIVER_TRY(const sdk::Protection kept, protection(key, stop));
    if (!kept.locked_until || *kept.locked_until < until) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the appliance does not keep the lock of " + path.string()};
    }
    return {};
}

sdk::Result<sdk::Protection> Store::protection(std::string_view key, std::stop_token stop) {
    OPENARCHIVER_CHECK(stat(key, std::move(stop)));
    struct stat status{};
    if (::stat(file_of(key).c_str(), &status) != 0) {
        return failed("reading", file_of(key));
    }
    return sdk::Protection{.locked_until = locked_until(status)};
}

}  // namespace appliance
