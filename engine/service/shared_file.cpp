#include "service/shared_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace openarchiver::service {

int open_shared(const std::filesystem::path& file, int flags) {
    const int descriptor = ::open(file.c_str(), flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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

bool replace_shared(const std::filesystem::path& file, std::string_view text) {
    const auto fresh = std::filesystem::path(file) += ".new";
    const plugin::FileDescriptor descriptor(open_shared(fresh, O_WRONLY | O_TRUNC));
    return descriptor.get() >= 0 && write_all(descriptor.get(), text) &&
           ::fdatasync(descriptor.get()) == 0 && ::rename(fresh.c_str(), file.c_str()) == 0;
}

FileLock::FileLock(const std::filesystem::path& file) : descriptor_(open_shared(file, O_RDWR)) {
    held_ = descriptor_.get() >= 0 && ::flock(descriptor_.get(), LOCK_EX) == 0;
}

}  // namespace openarchiver::service
