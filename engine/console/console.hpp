#pragma once

#include <string_view>

/// The console's files, as npm made them (README.md).
namespace openarchiver::console {

struct File {
    std::string_view path;  ///< below the root; empty: the page itself
    std::string_view content_type;
    std::string_view bytes;
};

/// Null: the console has no such file.
[[nodiscard]] const File* find(std::string_view path);

}  // namespace openarchiver::console
