#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

/// The master key: 32 random bytes that seal the keyring. Kept outside the archive by its owner.
namespace openarchiver::archive {

using SecretKey = std::array<std::byte, 32>;

/// One line of base64, as it stands in a key file or an environment variable. invalid_config with a
/// message that says what is expected; the text itself is never repeated.
[[nodiscard]] sdk::Result<SecretKey> parse_master_key(std::string_view text);
[[nodiscard]] std::string format_master_key(const SecretKey& key);

/// not_found where there is no such file; a warning text in `warning` when others may read it.
[[nodiscard]] sdk::Result<SecretKey> load_master_key(const std::filesystem::path& file,
                                                     std::string* warning = nullptr);

/// Creates the file (mode 0600, durable) with a new key; already_exists where there is one.
[[nodiscard]] sdk::Result<SecretKey> create_master_key(const std::filesystem::path& file);

/// A short public name of a key, to tell which one an archive wants: 16 hex digits.
[[nodiscard]] std::string key_check_value(const SecretKey& key);

}  // namespace openarchiver::archive
