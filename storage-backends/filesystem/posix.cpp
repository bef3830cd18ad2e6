#include "posix.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

namespace openarchiver::filesystem {

namespace {

struct Classification {
    sdk::Errc code;
    std::string_view remedy;
};

Classification classify(int error_number) {
    switch (error_number) {
        case ENOSPC:
        case EDQUOT:
            return {sdk::Errc::resource_exhausted,
                    "free space there, raise the quota or move the archive to a larger disk"};
        case EMFILE:
        case ENFILE:
            return {sdk::Errc::resource_exhausted, "raise the limit of open files"};
        case EROFS:
            return {sdk::Errc::permission_denied, "mount the file system writable"};
        case EACCES:
        case EPERM:
            return {sdk::Errc::permission_denied,
                    "let the user that runs the engine read and write there"};
        default:
            return {sdk::Errc::unavailable,
                    "check that the disk is mounted and healthy, then try again"};
    }
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
}

FileDescriptor::~FileDescriptor() {
    if (value_ >= 0) {
        // Not repeated on EINTR: Linux has closed it by then.
        ::close(value_);
    }
}

sdk::Error system_error(int error_number, std::string_view action, const std::string& path) {
    const Classification what = classify(error_number);
    std::string message = "can't ";
    message += action;
    message += " " + path + ": " + std::system_category().message(error_number) + "; ";
    message += what.remedy;
    return sdk::Error{.code = what.code, .message = std::move(message)};
}

sdk::Error cancelled(std::string_view action) {
    return sdk::Error{.code = sdk::Errc::cancelled,
                      .message = "stopped on request: " + std::string(action)};
}

FileDescriptor open_file(const std::string& path, int flags, mode_t mode) {
    return FileDescriptor(
        retry_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }));
}

sdk::Status write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written =
            retry_interrupted([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
        if (written < 0) {
            return system_error(errno, "write", path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

sdk::Status sync_file(int descriptor, const std::string& path) {
    // After a failed fsync the pages may be marked clean: a second one would lie. So no repetition.
    if (retry_interrupted([&] { return ::fsync(descriptor); }) != 0) {
        return system_error(errno, "make durable (fsync)", path);
    }
    return {};
}

sdk::Status sync_folder(const std::string& path) {
    const FileDescriptor folder = open_file(path, O_RDONLY | O_DIRECTORY);
    if (!folder.valid()) {
        return system_error(errno, "open the folder", path);
    }
    return sync_file(folder.get(), path);
}

}  // namespace openarchiver::filesystem
