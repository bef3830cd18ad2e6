#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

namespace openarchiver::subprocess {

/// The file of the command's program: as it is named, from `folder`, or one of PATH where the name
/// has no slash. Like a plugin, it runs only where nobody else could have changed it: whatever file
/// the command names, and every folder above it, may be writable for root and the engine's user
/// alone. invalid_config: there is no such program, or others may write one of the files.
sdk::Result<std::filesystem::path> trusted_program(const std::vector<std::string>& command,
                                                   const std::filesystem::path& folder);

}  // namespace openarchiver::subprocess
