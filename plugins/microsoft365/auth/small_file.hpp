#pragma once

#include <cstddef>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

namespace openarchiver::microsoft365 {

/// A whole file of at most `limit` bytes. invalid_config names `setting`, the file and the reason.
sdk::Result<std::string> read_small_file(std::string_view setting,
                                         const std::filesystem::path& file, std::size_t limit);

/// Whether users other than owner and group may read the file.
bool is_readable_by_everybody(const std::filesystem::path& file);

}  // namespace openarchiver::microsoft365
