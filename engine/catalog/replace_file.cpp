#include "catalog/replace_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace openarchiver::catalog {

namespace fs = std::filesystem;

namespace {

sdk::Error not_written(const fs::path& path, int code) {
    return {code == ENOSPC ? sdk::Errc::resource_exhausted : sdk::Errc::unavailable,
            "can't write " + path.string() + ": " + std::generic_category().message(code)};
}

}  // namespace

sdk::Status replace_file(const fs::path& file, std::string_view text) {
    const fs::path fresh = fs::path(file) += ".part";
    const int descriptor =
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0) {
        return not_written(fresh, errno);
    }
    int code = 0;
    while (!text.empty() && code == 0) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR) {
            code = errno;
        }
    }
    if (code == 0 && ::fsync(descriptor) != 0) {
        code = errno;
    }
    ::close(descriptor);
    if (code == 0 && ::rename(fresh.c_str(), file.c_str()) != 0) {
        code = errno;
    }
    return code == 0 ? sdk::Status() : sdk::Status(not_written(file, code));
}

}  // namespace openarchiver::catalog
