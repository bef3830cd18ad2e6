#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stream.hpp"

namespace openarchiver::imap {

enum class Security : std::uint8_t { tls, starttls, none };

/// How to get access tokens: with a refresh token, or with the client's own credentials.
struct OAuthSettings {
    Endpoint endpoint;
    bool secure = true;
    std::string path;
    std::string client_id;
    std::string scope;
};

struct FolderSelection {
    std::vector<std::string> include;
    std::vector<std::string> exclude;
    /// Of those that are archived: where to wait for news.
    std::vector<std::string> watch = {"inbox"};
};

/// The source's configuration, checked.
struct Settings {
    Endpoint server;
    Security security = Security::tls;
    std::filesystem::path ca_file;
    std::string user;
    /// Absent: the secret "access_token" or "password" counts, whichever there is.
    std::optional<OAuthSettings> oauth;
    /// Whose mailboxes `user` may read; empty: its own.
    std::vector<std::string> accounts;
    /// "anna*master": how to sign in to another's mailbox; empty: by SASL's authorization identity.
    std::string master_separator;
    FolderSelection folders;
    std::uint32_t connections_per_account = 4;
    std::uint32_t accounts_in_parallel = 4;
    /// For waiting for news, of the whole source.
    std::uint32_t watch_connections = 16;
    /// How long a server is waited for without a word (RFC 2177: less than half an hour).
    std::chrono::seconds watch_renew{540};
    /// False: items are known by folder and UID even where the server has something better.
    bool stable_ids = true;

    [[nodiscard]] bool delegated() const { return !accounts.empty(); }
};

/// The JSON Schema of the configuration.
std::string_view config_schema();

/// Relative paths are relative to `profile_folder`. invalid_config.
sdk::Result<Settings> parse_settings(std::string_view json,
                                     const std::filesystem::path& profile_folder);

/// The way to an endpoint that no one else can read along: this machine.
bool is_loopback(std::string_view host);

}  // namespace openarchiver::imap
