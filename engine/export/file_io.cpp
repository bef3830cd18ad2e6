#include "export/file_io.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace openarchiver::exporter {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::size_t kBufferSize = 256U << 10;
constexpr std::uint64_t kSend = 8U << 20;

int flags_of(File::Mode mode) {
    switch (mode) {
        case File::Mode::read:
            return O_RDONLY;
        case File::Mode::create:
            return O_WRONLY | O_CREAT | O_TRUNC;
        case File::Mode::append:
            return O_WRONLY | O_CREAT | O_APPEND;
        case File::Mode::update:
            return O_RDWR | O_CREAT;
    }
    return O_RDONLY;
}

}  // namespace

Error file_error(const char* doing, const std::filesystem::path& path, int error_number) {
    const auto code = [&] {
        switch (error_number) {
            case ENOENT:
                return Errc::not_found;
            case ENOSPC:
            case EDQUOT:
            case EFBIG:
            case EMFILE:
                return Errc::resource_exhausted;
            case EACCES:
            case EPERM:
            case ELOOP:
            case EROFS:
                return Errc::permission_denied;
            default:
                return Errc::unavailable;
        }
    }();
    std::string message = std::string("export: ") + doing + " " + path.string() +
                          " failed: " + std::strerror(error_number);
    if (error_number == ENOSPC || error_number == EDQUOT) {
        message += "; free space there and start the same export again, it goes on where it ended";
    }
    return {.code = code, .message = std::move(message)};
}

File::File(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
    if (this != &other) {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
        descriptor_ = std::exchange(other.descriptor_, -1);
        path_ = std::move(other.path_);
    }
    return *this;
}

File::~File() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Result<File> File::open(const std::filesystem::path& path, Mode mode) {
    const int descriptor =
        ::open(path.c_str(), flags_of(mode) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (descriptor < 0) {
        return file_error("opening", path, errno);
    }
    return File(descriptor, path);
}

Error File::failed(const char* doing) const {
    return file_error(doing, path_, errno);
}

Status File::write(std::string_view bytes) {
    unsent_ += bytes.size();
    while (!bytes.empty()) {
        const auto written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return failed("writing");
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (unsent_ >= kSend) {
        begin_to_sync();
    }
    return {};
}

void File::begin_to_sync() {
    // Of a file system that can't there is nothing to be told: sync_volume() tells what goes wrong.
    (void)::sync_file_range(descriptor_, 0, 0, SYNC_FILE_RANGE_WRITE);
    unsent_ = 0;
}

Result<std::size_t> File::read_at(std::span<std::byte> buffer, std::uint64_t offset) {
    while (true) {
        const auto got =
            ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            return failed("reading");
        }
    }
}

Result<std::uint64_t> File::size() {
    struct stat info{};
    if (::fstat(descriptor_, &info) != 0) {
        return failed("reading");
    }
    return static_cast<std::uint64_t>(info.st_size);
}

Status File::truncate(std::uint64_t size) {
    if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
        return failed("shortening");
    }
    return {};
}

Status File::seek(std::uint64_t offset) {
    if (::lseek(descriptor_, static_cast<off_t>(offset), SEEK_SET) < 0) {
        return failed("writing");
    }
    return {};
}

Status File::sync_volume() {
    if (::syncfs(descriptor_) != 0) {
        return failed("making durable what was written beside");
    }
    return {};
}

bool File::try_lock() {
    return ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
}

Status FileSink::write(std::span<const std::byte> bytes) {
    auto written = file_.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!written) {
        failure_ = written.error();
    }
    return written;
}

bool file_holds(const std::filesystem::path& path, std::uint64_t size,
                const archive::Digest& content) {
    auto file = File::open(path, File::Mode::read);
    if (!file) {
        return false;
    }
    const auto found_size = file->size();
    if (!found_size || *found_size != size) {
        return false;
    }
    archive::Sha256 hash;
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(kBufferSize, size + 1)));
    std::uint64_t offset = 0;
    while (true) {
        const auto got = file->read_at(buffer, offset);
        if (!got) {
            return false;
        }
        if (*got == 0) {
            return hash.finish() == content;
        }
        hash.update(std::span(buffer).first(*got));
        offset += *got;
    }
}

Status make_folders(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return file_error("making the folder", folder, error.value());
    }
    return {};
}

Status rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return file_error("moving a finished file to", to, errno);
    }
    return {};
}

Result<std::string> read_text(const std::filesystem::path& path) {
    OPENARCHIVER_TRY(auto file, File::open(path, File::Mode::read));
    std::string text;
    std::vector<std::byte> buffer(kBufferSize);
    while (true) {
        OPENARCHIVER_TRY(const std::size_t got, file.read_at(buffer, text.size()));
        if (got == 0) {
            return text;
        }
        text.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
}

Status write_text(const std::filesystem::path& path, std::string_view text) {
    OPENARCHIVER_TRY(auto file, File::open(path, File::Mode::create));
    return file.write(text);
}

}  // namespace openarchiver::exporter
