#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string_view>

namespace openarchiver::catalog {

/// Writes a small file, complete or not at all, and durable; an earlier one of the name is
/// replaced.
[[nodiscard]] sdk::Status replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace openarchiver::catalog
