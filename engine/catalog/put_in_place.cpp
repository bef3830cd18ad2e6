#include "catalog/put_in_place.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace openarchiver::catalog {

namespace {

/// A file or a folder.
std::error_code sync(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return {errno, std::system_category()};
    }
    const int number = ::fsync(descriptor) == 0 ? 0 : errno;
    ::close(descriptor);
    return {number, std::system_category()};
}

}  // namespace

sdk::Status put_in_place(const std::filesystem::path& fresh, const std::filesystem::path& file) {
    const auto folder = file.parent_path();
    std::error_code code = sync(fresh);
    if (!code) {
        std::filesystem::rename(fresh, file, code);
    }
    if (!code) {
        code = sync(folder);
    }
    if (!code) {
        code = sync(folder.parent_path());
    }
    if (code) {
        return sdk::Error{sdk::Errc::unavailable, "can't put the new catalog in place at " +
                                                      file.string() + ": " + code.message()};
    }
    return {};
}

}  // namespace openarchiver::catalog
