#pragma once

#include <openarchiver/sdk/result.hpp>
#include <string_view>

namespace openarchiver::filesystem {

/// invalid_argument: the key breaks the contract; unsupported: no file can have this name.
sdk::Status check_key(std::string_view key);

/// The part of a key before its last `/`; empty without one.
[[nodiscard]] std::string_view folder_of(std::string_view key) noexcept;

}  // namespace openarchiver::filesystem
