#pragma once

#include <chrono>
#include <openarchiver/sdk/bytes.hpp>
#include <stop_token>
#include <string>

#include "posix.hpp"

namespace openarchiver::filesystem {

/// The temporary folder's name below the root. `~` is no character of a key, so no object is ever
/// named like it; it lies below the root to be on the same file system.
inline constexpr const char* kTemporaryFolder = "tmp~";

/// A file that becomes an object once it is complete and durable, and vanishes otherwise. While it
/// is open it holds a lock, which tells other engines that its writer lives.
class TemporaryFile {
public:
    /// Creates the temporary folder as well where it is missing.
    static sdk::Result<TemporaryFile> create(const std::string& root);

    TemporaryFile(TemporaryFile&& other) noexcept;
    TemporaryFile& operator=(TemporaryFile&&) = delete;
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile();

    /// Writes all bytes of `source`, makes them read-only and durable. invalid_argument: the source
    /// has fewer or more bytes than it announced.
    sdk::Status fill(sdk::ByteSource& source, std::stop_token stop);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

    /// The file has another name now: nothing to remove.
    void renamed() noexcept { path_.clear(); }

private:
    TemporaryFile(std::string path, FileDescriptor descriptor) noexcept
        : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

    std::string path_;
    FileDescriptor descriptor_;
};

/// Removes files of dead writers that are older than an hour.
void remove_leftovers(const std::string& root, std::chrono::system_clock::time_point now);

}  // namespace openarchiver::filesystem
