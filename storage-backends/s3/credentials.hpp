#pragma once

#include <filesystem>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace openarchiver::s3 {

struct Credentials {
    std::string access_key_id;
    std::string secret_access_key;
    /// Empty: they are not temporary.
    std::string session_token;
};

/// One profile of a text in the format of AWS's shared credentials file. not_found: it has no such
/// profile, or the profile has no keys.
sdk::Result<Credentials> parse_credentials(std::string_view text, std::string_view profile);

/// Reads the credentials anew for each request, so that renewed ones count at once.
class CredentialSource {
public:
    /// From the configuration's own members.
    explicit CredentialSource(sdk::Secrets& secrets) : secrets_(secrets) {}

    /// From a profile in a file.
    CredentialSource(sdk::Secrets& secrets, std::filesystem::path file, std::string profile)
        : secrets_(secrets), file_(std::move(file)), profile_(std::move(profile)) {}

    /// invalid_config where there are none and never were any; while they are being replaced, the
    /// last ones.
    sdk::Result<Credentials> get();

    /// Where a person finds them, for messages.
    [[nodiscard]] std::string place() const;

private:
    sdk::Result<Credentials> read() const;

    sdk::Secrets& secrets_;
    std::filesystem::path file_;
    std::string profile_;
    std::mutex mutex_;  // guards last_
    std::optional<Credentials> last_;
};

}  // namespace openarchiver::s3
