#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "http/origin.hpp"

namespace openarchiver::s3 {

enum class ObjectLock : std::uint8_t {
    none,
    governance,  ///< who has the right to may still remove what is locked
    compliance,  ///< nobody may
};

struct Settings {
    std::string bucket;
    /// Before every key: empty, or ends with '/'.
    std::string prefix;
    /// Where requests go: with the bucket in its host name unless `path_style`.
    http::Origin origin;
    std::string region;
    bool path_style = false;
    /// Empty: the system's authorities.
    std::filesystem::path ca_file;
    /// Empty: the credentials are in the configuration.
    std::filesystem::path credentials_file;
    std::string profile;
    std::chrono::seconds timeout{};
    ObjectLock object_lock = ObjectLock::none;
    /// The operator vouches that one engine alone writes.
    bool single_writer = false;

    /// For messages: "the bucket archive at https://s3.example.org".
    [[nodiscard]] std::string place() const;
};

[[nodiscard]] std::string_view config_schema();

/// invalid_config. Relative paths are relative to `profile_folder`.
sdk::Result<Settings> parse_settings(std::string_view config_json,
                                     const std::filesystem::path& profile_folder);

}  // namespace openarchiver::s3
