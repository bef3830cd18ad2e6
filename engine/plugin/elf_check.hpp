#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>

namespace openarchiver::plugin {

/// Fails where an ELF file is shorter than its own headers say. The system's loader maps such a
/// file without looking, and the process dies of SIGBUS. All else is left to the loader.
[[nodiscard]] sdk::Status check_complete(const std::filesystem::path& file);

}  // namespace openarchiver::plugin
