#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

/// The system calls of the store, safe against EINTR and short transfers.
namespace openarchiver::filesystem {

class FileDescriptor {
public:
    FileDescriptor() = default;

    explicit FileDescriptor(int value) noexcept : value_(value) {}

    FileDescriptor(FileDescriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}

    FileDescriptor& operator=(FileDescriptor&& other) noexcept;
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor();

    [[nodiscard]] int get() const noexcept { return value_; }

    [[nodiscard]] bool valid() const noexcept { return value_ >= 0; }

private:
    int value_ = -1;
};

/// Repeats a system call that a signal interrupted.
template <typename Call>
auto retry_interrupted(Call call) {
    while (true) {
        auto result = call();
        if (result >= 0 || errno != EINTR) {
            return result;
        }
    }
}

/// "can't ACTION PATH: TEXT OF THE SYSTEM; what to do".
[[nodiscard]] sdk::Error system_error(int error_number, std::string_view action,
                                      const std::string& path);
[[nodiscard]] sdk::Error cancelled(std::string_view action);

/// A descriptor that is not valid() leaves the reason in errno.
[[nodiscard]] FileDescriptor open_file(const std::string& path, int flags, mode_t mode = 0);

sdk::Status write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path);
sdk::Status sync_file(int descriptor, const std::string& path);
/// Makes the names in a folder durable.
sdk::Status sync_folder(const std::string& path);

template <typename Body>
auto guarded(Body body) noexcept {
    return sdk::without_exceptions("the filesystem storage backend", std::move(body));
}

}  // namespace openarchiver::filesystem
