#include "store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <vector>

#include "key.hpp"
#include "listing.hpp"
#include "posix.hpp"
#include "temporary_file.hpp"

namespace openarchiver::filesystem {

namespace {

constexpr std::size_t kPiece = 256 * 1024;

sdk::Error no_object(std::string_view key) {
    return sdk::Error{.code = sdk::Errc::not_found,
                      .message = "there is no object " + std::string(key)};
}

sdk::Error object_exists(std::string_view key) {
    return sdk::Error{.code = sdk::Errc::already_exists,
                      .message = "there is an object " + std::string(key) + " already"};
}

sdk::Error folder_in_the_way(const std::string& path) {
    return sdk::Error{.code = sdk::Errc::unsupported,
                      .message = "can't store " + path +
                                 ": a folder of this name is there, and a file system can't have "
                                 "both"};
}

bool is_absence(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR;
}

struct OpenObject {
    FileDescriptor file;
    std::uint64_t size = 0;
};

sdk::Result<OpenObject> open_object(std::string_view key, const std::string& path) {
    // O_NONBLOCK: whatever somebody puts there (a pipe), opening it does not hang.
    OpenObject object{.file = open_file(path, O_RDONLY | O_NONBLOCK)};
    if (!object.file.valid()) {
        if (is_absence(errno)) {
            return no_object(key);
        }
        return system_error(errno, "open", path);
    }
    struct stat status{};
    if (::fstat(object.file.get(), &status) != 0) {
        return system_error(errno, "examine", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return no_object(key);
    }
    object.size = static_cast<std::uint64_t>(status.st_size);
    return object;
}

/// How many bytes the range has in an object of `size` bytes.
sdk::Result<std::uint64_t> length_of(const sdk::Range& range, std::uint64_t size,
                                     std::string_view key) {
    if (range.offset > size || (range.length && *range.length > size - range.offset)) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the range asked of object " + std::string(key) +
                                     " reaches beyond its " + std::to_string(size) + " bytes"};
    }
    return range.length.value_or(size - range.offset);
}

}  // namespace

std::string Store::path_of(std::string_view key) const {
    return root_ + "/" + std::string(key);
}

sdk::StorageCapabilities Store::capabilities() const {
    return {.put_if_absent = true,
            .max_object_bytes = std::uint64_t{std::numeric_limits<std::int64_t>::max()},
            .parallelism = 8};
}

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(check_key(key));
        if (stop.stop_requested()) {
            return cancelled("storing an object");
        }
        const std::string path = path_of(key);
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0) {
            if (S_ISDIR(status.st_mode)) {
                return folder_in_the_way(path);
            }
            if (mode == sdk::PutMode::if_absent) {
                // Its creator may have died before this; the answer says that it is durable.
                OPENARCHIVER_CHECK(folders_.ensure(folder_of(key)));
                OPENARCHIVER_CHECK(sync_folder(path_of(folder_of(key))));
                return object_exists(key);
            }
        }
        OPENARCHIVER_TRY(TemporaryFile file, TemporaryFile::create(root_));
        OPENARCHIVER_CHECK(file.fill(source, stop));
        OPENARCHIVER_CHECK(folders_.ensure(folder_of(key)));
        const sdk::Status published = publish(key, file, mode);
        if (!published && published.error().code != sdk::Errc::already_exists) {
            return published;
        }
        OPENARCHIVER_CHECK(sync_folder(path_of(folder_of(key))));
        return published;
    });
}

sdk::Status Store::publish(std::string_view key, TemporaryFile& file, sdk::PutMode mode) {
    const std::string path = path_of(key);
    const auto attempt = [&] {
        const int result = mode == sdk::PutMode::if_absent
                               ? ::link(file.path().c_str(), path.c_str())
                               : std::rename(file.path().c_str(), path.c_str());
        return result == 0 ? 0 : errno;
    };
    int error_number = attempt();
    if (error_number == ENOENT) {
        folders_.forget();
        OPENARCHIVER_CHECK(folders_.ensure(folder_of(key)));
        error_number = attempt();
    }
    struct stat status{};
    if (error_number == EEXIST && ::fstat(file.descriptor(), &status) == 0 &&
        status.st_nlink == 2) {
        // A network file system repeated a request that had succeeded: the name is ours.
        error_number = 0;
    }
    switch (error_number) {
        case 0:
            if (mode == sdk::PutMode::replace) {
                file.renamed();
            }
            return {};
        case EEXIST:
            if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
                return folder_in_the_way(path);
            }
            return object_exists(key);
        case EISDIR:
        case ENOTEMPTY:
            return folder_in_the_way(path);
        case EPERM:
        case EOPNOTSUPP:
        case EMLINK:
            if (mode == sdk::PutMode::if_absent) {
                return sdk::Error{.code = sdk::Errc::unsupported,
                                  .message = "can't create " + path +
                                             ": the file system of the archive's root has no hard "
                                             "links; choose a root on another one"};
            }
            return system_error(error_number, "replace", path);
        default:
            return system_error(error_number, "give its name to", path);
    }
}

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(check_key(key));
        if (stop.stop_requested()) {
            return cancelled("reading an object");
        }
        const std::string path = path_of(key);
        OPENARCHIVER_TRY(const OpenObject object, open_object(key, path));
        OPENARCHIVER_TRY(std::uint64_t remaining, length_of(range, object.size, key));
        std::uint64_t offset = range.offset;
        std::vector<std::byte> buffer(
            static_cast<std::size_t>(std::min<std::uint64_t>(remaining, kPiece)));
        while (remaining > 0) {
            if (stop.stop_requested()) {
                return cancelled("reading an object");
            }
            const std::size_t wanted =
                static_cast<std::size_t>(std::min<std::uint64_t>(remaining, buffer.size()));
            const ssize_t count = retry_interrupted([&] {
                return ::pread(object.file.get(), buffer.data(), wanted,
                               static_cast<off_t>(offset));
            });
            if (count < 0) {
                return system_error(errno, "read", path);
            }
            if (count == 0) {
                return sdk::Error{.code = sdk::Errc::corrupt,
                                  .message = "the object " + path +
                                             " was cut short while it was read; something else "
                                             "than the engine writes to the archive"};
            }
            OPENARCHIVER_CHECK(
                sink.write(std::span(buffer).first(static_cast<std::size_t>(count))));
            offset += static_cast<std::uint64_t>(count);
            remaining -= static_cast<std::uint64_t>(count);
        }
        return {};
    });
}

sdk::Result<sdk::ObjectInfo> Store::stat(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::ObjectInfo> {
        OPENARCHIVER_CHECK(check_key(key));
        if (stop.stop_requested()) {
            return cancelled("examining an object");
        }
        const std::string path = path_of(key);
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            if (is_absence(errno)) {
                return no_object(key);
            }
            return system_error(errno, "examine", path);
        }
        if (!S_ISREG(status.st_mode)) {
            return no_object(key);
        }
        sdk::ObjectInfo info;
        info.key = key;
        info.size = static_cast<std::uint64_t>(status.st_size);
        info.modified_at = modified_at(status);
        return info;
    });
}

sdk::Status Store::list(std::string_view prefix, std::string_view start_after,
                        sdk::ObjectListSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        return list_objects(root_, prefix, start_after, sink, std::move(stop));
    });
}

sdk::Status Store::remove(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(check_key(key));
        if (stop.stop_requested()) {
            return cancelled("removing an object");
        }
        const std::string path = path_of(key);
        struct stat status{};
        const bool present = ::lstat(path.c_str(), &status) == 0;
        if (!present && !is_absence(errno)) {
            return system_error(errno, "examine", path);
        }
        if (present && !S_ISDIR(status.st_mode) && ::unlink(path.c_str()) != 0 &&
            !is_absence(errno)) {
            return system_error(errno, "remove", path);
        }
        // Also where the object was gone already: whoever removed it may not have come this far.
        const std::string folder = path_of(folder_of(key));
        const FileDescriptor descriptor = open_file(folder, O_RDONLY | O_DIRECTORY);
        if (!descriptor.valid()) {
            if (is_absence(errno)) {
                return {};
            }
            return system_error(errno, "open the folder", folder);
        }
        return sync_file(descriptor.get(), folder);
    });
}

sdk::Result<sdk::Capacity> Store::capacity(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Capacity> {
        if (stop.stop_requested()) {
            return cancelled("asking for the free space");
        }
        struct statvfs status{};
        if (retry_interrupted([&] { return ::statvfs(root_.c_str(), &status); }) != 0) {
            return system_error(errno, "ask for the free space of", root_);
        }
        return sdk::Capacity{.free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize,
                             .total_bytes = std::uint64_t{status.f_blocks} * status.f_frsize};
    });
}

}  // namespace openarchiver::filesystem
