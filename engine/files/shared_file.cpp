#include "files/shared_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace openarchiver::files {

namespace {

sdk::Error not_written(const std::filesystem::path& file) {
    const int code = errno;
    const bool full = code == ENOSPC || code == EDQUOT;
    const bool refused = code == EACCES || code == EPERM || code == EROFS;
    return {full      ? sdk::Errc::resource_exhausted
            : refused ? sdk::Errc::permission_denied
                      : sdk::Errc::unavailable,
            "can't write " + file.string() + ": " + std::generic_category().message(code)};
}

/// What is renamed is in place, whatever comes of this: only what may lose it counts.
bool sync_folder(const std::filesystem::path& path) {
    const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return (folder.get() >= 0 && ::fsync(folder.get()) == 0) ||
           (errno != EIO && errno != ENOSPC && errno != EDQUOT);
}

}  // namespace

int open_shared(const std::filesystem::path& file, int flags, Readers readers) {
    const int descriptor = ::open(file.c_str(), flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                                  readers == Readers::everyone ? 0644 : 0600);
    struct stat folder{};
    if (descriptor >= 0 && ::geteuid() == 0 && ::stat(file.parent_path().c_str(), &folder) == 0) {
        (void)::fchown(descriptor, folder.st_uid, folder.st_gid);
    }
    return descriptor;
}

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return true;
}

std::string read_shared(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

sdk::Status replace_file(const std::filesystem::path& file, std::string_view text,
                         Readers readers) {
    const auto fresh = std::filesystem::path(file) += ".new";
    ::unlink(fresh.c_str());  // another user may have left it behind
    const FileDescriptor target(open_shared(fresh, O_WRONLY | O_EXCL, readers));
    if (target.get() < 0 || !write_all(target.get(), text) || ::fsync(target.get()) != 0) {
        return not_written(fresh);
    }
    if (::rename(fresh.c_str(), file.c_str()) != 0) {
        return not_written(file);
    }
    return sync_folder(file.parent_path()) ? sdk::Status() : sdk::Status(not_written(file));
}

FileLock::FileLock(const std::filesystem::path& file) : descriptor_(open_shared(file, O_RDWR)) {
    held_ = descriptor_.get() >= 0 && ::flock(descriptor_.get(), LOCK_EX) == 0;
}

}  // namespace openarchiver::files
