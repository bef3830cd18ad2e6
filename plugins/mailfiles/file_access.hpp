#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

/// Reading below a root, never through a symbolic link: whoever owns a mail folder could point one
/// anywhere.
namespace openarchiver::mailfiles {

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

    /// The caller closes it from now on.
    int release() noexcept { return std::exchange(value_, -1); }

private:
    int value_ = -1;
};

[[nodiscard]] sdk::Error cancelled();
[[nodiscard]] sdk::Error item_gone();

/// Opens a configured folder. unavailable: it is not there (not mounted); permission_denied.
sdk::Result<FileDescriptor> open_root(const std::string& path);

/// Opens a folder below a root. not_found; unsupported: this one can't be read, the root can.
sdk::Result<FileDescriptor> open_folder(const FileDescriptor& root, std::string_view relative);

/// Opens a regular file below a root. Errors as open_folder(), without the file's name, which may
/// tell the subject of a mail.
sdk::Result<FileDescriptor> open_mail(const FileDescriptor& root, std::string_view relative);

/// Opens what `name` is in a folder, a folder or a regular file. Errors as open_folder().
sdk::Result<FileDescriptor> open_entry(const FileDescriptor& folder, std::string_view name);

[[nodiscard]] bool is_folder(const FileDescriptor& opened);

enum class EntryKind : std::uint8_t { file, folder };

/// Calls `entry` for each regular file and folder in a folder, until it returns an Error or the
/// token is triggered. Symbolic links are passed over.
sdk::Status for_each_entry(
    const FileDescriptor& folder, const std::stop_token& stop,
    const std::function<sdk::Status(std::string_view name, EntryKind kind)>& entry);

/// Whether the folder has the three folders of a Maildir.
[[nodiscard]] bool is_maildir(const FileDescriptor& folder);

[[nodiscard]] std::int64_t modified_ns(const struct stat& status) noexcept;

/// That a file could be opened, but not read.
[[nodiscard]] sdk::Error read_failure(int error_number);

sdk::Result<struct stat> status_of(const FileDescriptor& file);

/// Whether nothing was written for `settle`, as far as the time of the last change tells.
[[nodiscard]] bool is_settled(std::int64_t modified_ns, std::chrono::seconds settle);

/// Waits until nothing was written to a file for `settle`, `settle` at most. False: something was
/// written meanwhile, so the file is not complete. cancelled.
sdk::Result<bool> wait_until_settled(const FileDescriptor& file, std::chrono::seconds settle,
                                     const std::stop_token& stop);

template <typename Body>
auto guarded(Body body) noexcept {
    return sdk::without_exceptions("the mailfiles provider", std::move(body));
}

}  // namespace openarchiver::mailfiles
