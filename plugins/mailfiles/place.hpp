#pragma once

#include <cstdint>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "file_access.hpp"
#include "layout.hpp"
#include "unpacked.hpp"

namespace openarchiver::mailfiles {

/// What a path below a root leads to, through archives.
struct Place {
    enum class Kind : std::uint8_t { folder, message, mbox };

    Kind kind = Kind::folder;
    /// Of the folder or the file.
    FileDescriptor opened = {};
    /// What it was unpacked from, the innermost; none: it lies on the disk itself.
    std::shared_ptr<const Unpacked> unpacked = {};
    /// Within `unpacked`; empty: its top.
    std::string path_in_unpacked = {};
    /// For people: "2024/archive.zip:inbox.mbox".
    std::string label = {};

    [[nodiscard]] bool reconstructed() const { return unpacked && unpacked->reconstructed; }
};

/// The file on the disk that a path leads to or through, where it leads to or through one.
struct OuterFile {
    FileDescriptor file = {};
    FileKind kind = FileKind::other;
    /// The file's own path below the root.
    std::string path = {};
};

/// Opens without unpacking. The file's kind is `other` where the path leads to a folder. Errors as
/// open_folder().
sdk::Result<OuterFile> find_outer_file(const FileDescriptor& root, std::string_view below);

/// Errors as open_folder() and Unpacking::get(). not_found: also what is a file of another kind.
sdk::Result<Place> open_place(const Root& root, const FileDescriptor& root_folder,
                              std::string_view below, Unpacking& unpacking,
                              const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
