#include "archive/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
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
      file_(std::exchange(other.file_, -1)),
      size_(std::exchange(other.size_, 0)),
      position_(std::exchange(other.position_, 0)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
    if (this != &other) {
        if (file_ >= 0) {
            ::close(file_);
        }
        folder_ = std::move(other.folder_);
        memory_threshold_ = other.memory_threshold_;
        memory_ = std::exchange(other.memory_, {});
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
}

// Counts bytes only once all of them are written, so that a failed write can be repeated.
sdk::Status Spool::write(std::span<const std::byte> bytes) {
    if (file_ < 0 && size_ + bytes.size() > memory_threshold_) {
        OPENARCHIVER_TRY(const int file, open_unlinked(folder_));
        if (sdk::Status moved = write_at(file, 0, memory_, folder_); !moved) {
            ::close(file);
            return moved;
        }
        file_ = file;
        std::vector<std::byte>().swap(memory_);  // an assignment would keep the memory
    }
    if (file_ >= 0) {
        OPENARCHIVER_CHECK(write_at(file_, size_, bytes, folder_));
    } else {
        const std::uint64_t needed = size_ + bytes.size();
        if (needed > memory_.capacity()) {
            memory_.reserve(std::max(needed, std::min(2 * needed, memory_threshold_)));
        }
        memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    }
    size_ += bytes.size();
    return {};
}

sdk::Result<std::size_t> Spool::read(std::span<std::byte> buffer) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - position_));
    if (wanted == 0) {
        return std::size_t{0};
    }
    if (file_ < 0) {
        std::memcpy(buffer.data(), memory_.data() + position_, wanted);
        position_ += wanted;
        return wanted;
    }
    for (;;) {
        const ssize_t got = ::pread(file_, buffer.data(), wanted, static_cast<off_t>(position_));
        if (got > 0) {
            position_ += static_cast<std::uint64_t>(got);
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

std::span<const std::byte> Spool::in_memory() const {
    return file_ < 0 ? std::span<const std::byte>(memory_) : std::span<const std::byte>();
}

}  // namespace openarchiver::archive
