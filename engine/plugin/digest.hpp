#pragma once

#include <cstddef>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

namespace openarchiver::plugin {

/// SHA-256 of a file, in hex.
[[nodiscard]] sdk::Result<std::string> sha256_of_file(const std::filesystem::path& file);

/// HMAC-SHA256, in hex.
[[nodiscard]] sdk::Result<std::string> hmac_sha256(std::string_view key, std::string_view text);

/// `bytes` random bytes (at most 64), in hex.
[[nodiscard]] sdk::Result<std::string> random_hex(std::size_t bytes);

}  // namespace openarchiver::plugin
