#pragma once

#include <cstdint>
#include <string_view>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

enum class FileKind : std::uint8_t {
    other,    ///< nothing to archive
    message,  ///< an `.eml` file
    mbox,
    archive,  ///< zip, or tar, compressed or not; a compressed mbox
    pst,
};

/// Endings: `.eml`; `.mbox`, `.mbx`; `.zip`, `.tar`, `.tar.gz`, `.tgz` and the like, `.mbox.gz` and
/// the like; `.pst`. Upper and lower case are the same.
[[nodiscard]] FileKind kind_by_name(std::string_view name) noexcept;

/// A compressed file that is no archive, but one mbox.
[[nodiscard]] bool is_compressed_mbox(std::string_view name) noexcept;

/// What begins with a "From " line that has a date is an mbox, whatever its name. `front` is the
/// beginning of the file, kKindBytes of it or all.
[[nodiscard]] FileKind kind_by_front(std::string_view front) noexcept;

constexpr std::size_t kKindBytes = 1024;

/// By its name; if that does not tell, by its first line. What can't be read is `other`.
[[nodiscard]] FileKind kind_of(const FileDescriptor& file, std::string_view name);
[[nodiscard]] FileKind kind_in(const FileDescriptor& folder, std::string_view name);

/// A file that holds others.
[[nodiscard]] constexpr bool is_container(FileKind kind) noexcept {
    return kind == FileKind::archive || kind == FileKind::pst;
}

}  // namespace openarchiver::mailfiles
