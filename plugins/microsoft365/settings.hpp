#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/credentials.hpp"
#include "failure.hpp"
#include "http/origin.hpp"

namespace openarchiver::microsoft365 {

struct SelectionSettings {
    std::vector<std::string> include;
    std::vector<std::string> exclude;
};

struct AccountSelection : SelectionSettings {
    /// Ids of groups, whose members count.
    std::vector<std::string> include_groups;
    std::vector<std::string> exclude_groups;

    [[nodiscard]] bool has_groups() const {
        return !include_groups.empty() || !exclude_groups.empty();
    }
};

struct ProxyConfiguration {
    Origin origin;
    std::string user;
};

/// The source's configuration, checked.
struct Settings {
    std::string tenant_id;
    std::string client_id;
    Origin authority;
    Origin graph;
    std::filesystem::path ca_file;
    CredentialSettings credential;
    std::optional<ProxyConfiguration> proxy;
    AccountSelection accounts;
    SelectionSettings folders;
    std::uint32_t requests_per_account = 4;
    std::uint32_t accounts_in_parallel = 32;
    /// A folder that shows no change is still polled within this time.
    std::chrono::seconds max_lag = std::chrono::hours(1);
    /// Microsoft is asked to tell of new mail, where this source has an address for it.
    bool change_notifications = true;

    /// Whether Microsoft would notify this address: only by https; a simulated tenant does not
    /// mind.
    [[nodiscard]] bool notifies_to(std::string_view webhook_url) const {
        return webhook_url.starts_with("https://") || !graph.secure;
    }
};

/// The JSON Schema of the configuration.
std::string_view config_schema();

/// Relative paths are relative to `profile_folder`. invalid_config.
sdk::Result<Settings> parse_settings(std::string_view json,
                                     const std::filesystem::path& profile_folder);

}  // namespace openarchiver::microsoft365
