#pragma once

#include <filesystem>
#include <openarchiver/sdk/abi.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>

namespace openarchiver::plugin {

/// Fails where an ELF file is shorter than its own headers say. The system's loader maps such a
/// file without looking, and the process dies of SIGBUS. All else is left to the loader.
[[nodiscard]] sdk::Status check_complete(const std::filesystem::path& file);

/// The name that a stamp is exported by.
inline constexpr const char* kStampName = "openarchiver_abi_stamp";

/// The stamp as the file has it, so that nothing of a library that does not fit is run. Absent: it
/// exports none. unsupported: not a library of this machine. A stamp of another size may be cut.
[[nodiscard]] sdk::Result<std::optional<sdk::AbiStamp>> read_stamp(
    const std::filesystem::path& file);

}  // namespace openarchiver::plugin
