#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace openarchiver::plugin {

/// Tells a file from another one put in its place, without reading it.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified_ns = 0;

    auto operator<=>(const FileIdentity&) const = default;
};

/// Absent: the file can't be looked at.
[[nodiscard]] std::optional<FileIdentity> identity_of(const std::filesystem::path& file);

}  // namespace openarchiver::plugin
