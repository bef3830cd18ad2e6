#include "archive/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace openarchiver::archive {

namespace {

sdk::Error spool_error(std::string_view what, const std::filesystem::path& folder, int number) {
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return sdk::Error{.code = full ? sdk::Errc::resource_exhausted
                                   : (number == EACCES || number == EPERM || number == EROFS
                                          ? sdk::Errc::permission_denied
                                          : sdk::Errc::unavailable),
                      .message = std::string(what) + " in the spool folder " + folder.string() +
                                 ": " + std::error_code(number, std::generic_category()).message() +
                                 (full ? "; free space there" : "")};
}

// What spools may have in memory beyond their thresholds, all together; of one spool, so much.
constexpr std::int64_t kSharedMemory = 48 << 20;
constexpr std::uint64_t kMaxGrant = 16U << 20;
std::atomic<std::int64_t> shared_memory_left = kSharedMemory;

// A file without a name: whatever happens to the process, nothing is left of it.
sdk::Result<int> open_unlinked(const std::filesystem::path& folder) {
    int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 && errno == ENOENT) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error) {
            return spool_error("can't create a folder", folder, error.value());
        }
        file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        std::string name = (folder / "spool-XXXXXX").string();
        file = ::mkostemp(name.data(), O_CLOEXEC);
        if (file >= 0) {
            ::unlink(name.c_str());
        }
    }
    if (file < 0) {
        return spool_error("can't create a file", folder, errno);
    }
    return file;
}

sdk::Status write_at(int file, std::uint64_t offset, std::span<const std::byte> bytes,
                     const std::filesystem::path& folder) {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return spool_error("can't write a file", folder, errno);
        }
        offset += static_cast<std::uint64_t>(written);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Spool::Spool(std::filesystem::path folder, std::uint64_t memory_threshold)
    : folder_(std::move(folder)), memory_threshold_(memory_threshold) {}

Spool::Spool(Spool&& other) noexcept
    : folder_(std::move(other.folder_)),
      memory_threshold_(other.memory_threshold_),
      memory_(std::exchange(other.memory_, {})),
      granted_(std::exchange(other.granted_, 0)),
      file_(std::exchange(other.file_, -1)),
      size_(std::exchange(other.size_, 0)),
      position_(std::exchange(other.position_, 0)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
    if (this != &other) {
        if (file_ >= 0) {
            ::close(file_);
        }
        release_memory();
        folder_ = std::move(other.folder_);
        memory_threshold_ = other.memory_threshold_;
        memory_ = std::exchange(other.memory_, {});
        granted_ = std::exchange(other.granted_, 0);
        file_ = std::exchange(other.file_, -1);
        size_ = std::exchange(other.size_, 0);
        position_ = std::exchange(other.position_, 0);
    }
    return *this;
}

Spool::~Spool() {
    if (file_ >= 0) {
        ::close(file_);
    }
    release_memory();
}

bool Spool::stays_in_memory(std::uint64_t size) {
    if (size <= memory_threshold_ + granted_) {
        return true;
    }
    if (size > memory_threshold_ + kMaxGrant) {
        return false;
    }
    // Twice as much each time, as the memory grows.
    const auto wanted = std::min(kMaxGrant, std::max(2 * granted_, 3 * memory_threshold_));
    const std::uint64_t more = std::max(wanted, size - memory_threshold_) - granted_;
    if (shared_memory_left.fetch_sub(static_cast<std::int64_t>(more)) <
        static_cast<std::int64_t>(more)) {
        shared_memory_left += static_cast<std::int64_t>(more);
        return false;
    }
    granted_ += more;
    return true;
}

void Spool::release_memory() {
    std::vector<std::byte>().swap(memory_);  // an assignment would keep the memory
    shared_memory_left += static_cast<std::int64_t>(std::exchange(granted_, 0));
}

void Spool::expect(std::uint64_t bytes) {
    if (file_ < 0 && stays_in_memory(size_ + bytes)) {
        memory_.reserve(size_ + bytes);
    }
}

// Counts bytes only once all of them are written, so that a failed write can be repeated.
sdk::Status Spool::write(std::span<const std::byte> bytes) {
    if (file_ < 0 && !stays_in_memory(size_ + bytes.size())) {
        OPENARCHIVER_TRY(const int file, open_unlinked(folder_));
        if (sdk::Status moved = write_at(file, 0, memory_, folder_); !moved) {
            ::close(file);
            return moved;
        }
        file_ = file;
        release_memory();
    }
    if (file_ >= 0) {
        OPENARCHIVER_CHECK(write_at(file_, size_, bytes, folder_));
    } else {
        const std::uint64_t needed = size_ + bytes.size();
        if (needed > memory_.capacity()) {
            memory_.reserve(std::max(needed, std::min(4 * needed, memory_threshold_ + granted_)));
        }
        memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    }
    size_ += bytes.size();
    return {};
}

sdk::Result<std::size_t> Spool::read(std::span<std::byte> buffer) {
    OPENARCHIVER_TRY(const std::size_t got, read_at(position_, buffer));
    position_ += got;
    return got;
}

sdk::Result<std::size_t> Spool::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(buffer.size(), size_ - std::min(offset, size_)));
    if (wanted == 0) {
        return std::size_t{0};
    }
    if (file_ < 0) {
        std::memcpy(buffer.data(), memory_.data() + offset, wanted);
        return wanted;
    }
    for (;;) {
        const ssize_t got = ::pread(file_, buffer.data(), wanted, static_cast<off_t>(offset));
        if (got > 0) {
            return static_cast<std::size_t>(got);
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        return spool_error("can't read a file", folder_, got < 0 ? errno : EIO);
    }
}

sdk::Status Spool::rewind() {
    position_ = 0;
    return {};
}

sdk::Result<std::size_t> SpoolRange::read(std::span<std::byte> buffer) {
    OPENARCHIVER_TRY(const std::size_t got,
                     spool_.read_at(offset_ + position_,
                                    buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(
                                        buffer.size(), size_ - position_)))));
    position_ += got;
    return got;
}

sdk::Status SpoolRange::rewind() {
    position_ = 0;
    return {};
}

std::span<const std::byte> Spool::in_memory() const {
    return file_ < 0 ? std::span<const std::byte>(memory_) : std::span<const std::byte>();
}

}  // namespace openarchiver::archive
