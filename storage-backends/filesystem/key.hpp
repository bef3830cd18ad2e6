#pragma once

#include <openarchiver/sdk/result.hpp>
#include <string_view>

namespace openarchiver::filesystem {

/// One name between two `/` of a key: not empty, not `.` or `..`, of the allowed characters only.
/// Everything else that lies in a folder of the store (temporary files, `lost+found`) is no object.
[[nodiscard]] bool is_key_segment(std::string_view segment) noexcept;

/// invalid_argument: the key breaks the contract; unsupported: no file can have this name.
sdk::Status check_key(std::string_view key);

/// The part of a key before its last `/`; empty without one.
[[nodiscard]] std::string_view folder_of(std::string_view key) noexcept;

}  // namespace openarchiver::filesystem
