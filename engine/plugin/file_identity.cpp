#include "plugin/file_identity.hpp"

#include <sys/stat.h>

namespace openarchiver::plugin {

std::optional<FileIdentity> identity_of(const std::filesystem::path& file) {
    struct stat found{};
    if (::stat(file.c_str(), &found) != 0) {
        return std::nullopt;
    }
    constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
    return FileIdentity{found.st_dev, found.st_ino, found.st_size,
                        found.st_mtim.tv_sec * kNanosecondsPerSecond + found.st_mtim.tv_nsec};
}

}  // namespace openarchiver::plugin
