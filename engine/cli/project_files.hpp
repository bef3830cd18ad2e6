#pragma once

#include <span>
#include <string_view>

namespace openarchiver::cli {

/// A file of the projects that `plugin new` writes (sdk/templates).
struct ProjectFile {
    /// "provider/src/plugin.cpp": the kind, then the path in the project.
    std::string_view path;
    std::string_view text;
};

[[nodiscard]] std::span<const ProjectFile> project_files() noexcept;

}  // namespace openarchiver::cli
