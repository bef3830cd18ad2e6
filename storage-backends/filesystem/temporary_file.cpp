#include "temporary_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace openarchiver::filesystem {

namespace {

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::chrono::hours kLeftoverAge{1};

/// Unlike any other writer's, on this machine or on another one that shares the root.
std::string unique_name() {
    static std::atomic<std::uint64_t> counter = 0;
    std::random_device random;
    std::array<char, 17> text{};
    const std::uint64_t value = (std::uint64_t{random()} << 32U) | random();
    for (std::size_t i = 0; i < 16; ++i) {
        text[i] = "0123456789abcdef"[(value >> (4 * i)) & 0xFU];
    }
    return std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1)) + "-" +
           text.data();
}

sdk::Error wrong_length(const std::string& detail) {
    return sdk::Error{.code = sdk::Errc::invalid_argument,
                      .message = "the object was not stored: its source " + detail};
}

}  // namespace

sdk::Result<TemporaryFile> TemporaryFile::create(const std::string& root) {
    const std::string folder = root + "/" + kTemporaryFolder;
    std::string path = folder + "/" + unique_name();
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    FileDescriptor descriptor = open_file(path, kFlags, 0600);
    if (!descriptor.valid() && errno == ENOENT) {
        if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
            return system_error(errno, "create the folder", folder);
        }
        descriptor = open_file(path, kFlags, 0600);
    }
    if (!descriptor.valid()) {
        return system_error(errno, "create", path);
    }
    // Where the file system knows no locks, its age alone protects the file.
    static_cast<void>(::flock(descriptor.get(), LOCK_EX | LOCK_NB));
    return TemporaryFile(std::move(path), std::move(descriptor));
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), descriptor_(std::move(other.descriptor_)) {}

TemporaryFile::~TemporaryFile() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

sdk::Status TemporaryFile::fill(sdk::ByteSource& source, std::stop_token stop) {
    const std::uint64_t size = source.size();
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, kPiece)));
    std::uint64_t total = 0;
    while (true) {
        if (stop.stop_requested()) {
            return cancelled("storing an object");
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(buffer));
        if (count == 0) {
            break;
        }
        total += count;
        if (total > size) {
            return wrong_length("announced " + std::to_string(size) + " bytes and has more");
        }
        OPENARCHIVER_CHECK(write_all(descriptor_.get(), std::span(buffer).first(count), path_));
    }
    if (total != size) {
        return wrong_length("announced " + std::to_string(size) + " bytes and ended after " +
                            std::to_string(total));
    }
    struct stat status{};
    if (::fstat(descriptor_.get(), &status) != 0) {
        return system_error(errno, "examine", path_);
    }
    if (static_cast<std::uint64_t>(status.st_size) != size) {
        return sdk::Error{.code = sdk::Errc::unavailable,
                          .message = "the file system has " + std::to_string(status.st_size) +
                                     " of " + std::to_string(size) + " bytes written to " + path_ +
                                     "; check the disk, then try again"};
    }
    if (::fchmod(descriptor_.get(), 0444) != 0) {
        return system_error(errno, "make read-only", path_);
    }
    if (stop.stop_requested()) {
        return cancelled("storing an object");
    }
    return sync_file(descriptor_.get(), path_);
}

void remove_leftovers(const std::string& root, std::chrono::system_clock::time_point now) {
    const std::string folder = root + "/" + kTemporaryFolder;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
    if (!entries) {
        return;
    }
    const auto oldest = std::chrono::system_clock::to_time_t(now - kLeftoverAge);
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string path = folder + "/" + entry->d_name;
        const FileDescriptor file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        struct stat status{};
        if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
            status.st_mtime > oldest) {
            continue;
        }
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            continue;  // its writer lives
        }
        ::unlink(path.c_str());
    }
}

}  // namespace openarchiver::filesystem
