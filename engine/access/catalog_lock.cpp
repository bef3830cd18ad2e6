#include "access/catalog_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace openarchiver::access {

using sdk::Errc;
using sdk::Error;

namespace {

std::string host_name() {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown host";
}

std::string system_message(int code) {
    return std::generic_category().message(code);
}

}  // namespace

sdk::Result<std::unique_ptr<CatalogLock>> CatalogLock::acquire(
    const std::filesystem::path& folder) {
    const auto path = folder / "lock";
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        const int code = errno;
        return Error{Errc::permission_denied, "can't open " + path.string() + ": " +
                                                  system_message(code) +
                                                  "; check the rights on the catalog's folder"};
    }
    auto lock = std::unique_ptr<CatalogLock>(new CatalogLock(file));
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        char holder[512] = {};
        const auto length = ::pread(file, holder, sizeof holder - 1, 0);
        return Error{Errc::already_exists,
                     "the archive is in use by " +
                         (length > 0 ? std::string(holder, static_cast<std::size_t>(length))
                                     : std::string("another engine"))};
    }
    const std::string text = "process " + std::to_string(::getpid()) + " on " + host_name();
    if (::ftruncate(file, 0) != 0 ||
        ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        const int code = errno;
        return Error{code == ENOSPC ? Errc::resource_exhausted : Errc::unavailable,
                     "can't write " + path.string() + ": " + system_message(code)};
    }
    return lock;
}

CatalogLock::~CatalogLock() {
    ::close(file_);
}

}  // namespace openarchiver::access
