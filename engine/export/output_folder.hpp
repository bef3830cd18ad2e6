#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "export/file_io.hpp"

namespace openarchiver::exporter {

/// The folder that an export goes to. While it is being written it has a folder
/// `.export-in-progress` with what a second run needs to go on; `export.json` appears last.
class OutputFolder {
public:
    /// `identity` says which export this is. invalid_argument: the folder holds something else;
    /// already_exists: another process exports there.
    static sdk::Result<OutputFolder> open(const std::filesystem::path& folder,
                                          std::string_view identity);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

    /// Where a file is written before it gets its name: one place for each, and the same when a
    /// later run writes it anew.
    [[nodiscard]] std::filesystem::path temporary(std::string_view path) const;

    /// Announces a file before it is made, so that a later run can find what this one left behind.
    sdk::Status announce(std::string_view path);
    /// Adds a line to the manifest; `path` is the file that it names.
    sdk::Status add(std::string_view manifest_line, std::string_view path);
    /// Removes what earlier runs wrote and the manifest does not name, makes everything durable
    /// and puts manifest and export document in place.
    sdk::Status finish(std::string_view export_document);

private:
    OutputFolder(std::filesystem::path folder, File lock, File announced, File manifest);
    static sdk::Result<std::string> known_identity(const std::filesystem::path& folder);
    static sdk::Status take_over_earlier(const std::filesystem::path& folder, File& announced);
    sdk::Status flush();
    sdk::Status remove_leftovers();

    std::filesystem::path folder_;
    std::filesystem::path marker_;
    File lock_;
    File announced_;
    File manifest_;
    std::string buffer_;  // of the manifest
    std::string last_announced_;
    std::vector<std::uint64_t> written_;  // hashes of the paths in the manifest
};

}  // namespace openarchiver::exporter
