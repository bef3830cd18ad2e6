#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Who may do what through the HTTP API.
namespace openarchiver::api {

enum class Role : std::uint8_t {
    administrator,   ///< everything but reading mail
    operator_,       ///< sees how it goes, and starts syncs
    auditor,         ///< reads all mail, places and releases holds
    account_holder,  ///< reads the mail of named accounts
};

enum class Right : std::uint8_t {
    sign_in,     ///< to know who one is
    observe,     ///< sources, accounts, folders, failures, status, metrics
    operate,     ///< sync, retry
    administer,  ///< credentials, retention, forgetting
    read_mail,
    hold,
    approve,  ///< what somebody else asked for
    audit,    ///< who did what
};

[[nodiscard]] std::string_view to_string(Role role);
[[nodiscard]] std::optional<Role> role_from(std::string_view name);
[[nodiscard]] bool may(Role role, Right right);
/// The names of the rights that a role has.
[[nodiscard]] std::vector<std::string_view> rights_of(Role role);

struct Credential {
    std::string name;
    Role role = Role::account_holder;
    /// Ids or addresses; only with Role::account_holder.
    std::vector<std::string> accounts = {};
    sdk::Timestamp created_at = {};
};

/// The credentials of a catalog's folder, in the file access.json (mode 0600). What a caller has
/// to show is known to the caller alone: the file has its SHA-256, which is enough for 256 random
/// bits. Safe for concurrent use, also by several processes.
class Credentials {
public:
    explicit Credentials(const std::filesystem::path& catalog_folder);

    [[nodiscard]] sdk::Result<std::vector<Credential>> list() const;
    /// The secret, told this one time. invalid_argument: a name that is taken or no name.
    sdk::Result<std::string> add(const Credential& credential);
    /// invalid_argument: there is none of this name.
    sdk::Status remove(std::string_view name);
    /// Nothing: nobody's. Takes the same time for any wrong secret.
    [[nodiscard]] sdk::Result<std::optional<Credential>> find(std::string_view secret) const;

private:
    std::filesystem::path file_;
};

/// A secret of 256 random bits.
[[nodiscard]] std::string new_secret();
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b);

}  // namespace openarchiver::api
