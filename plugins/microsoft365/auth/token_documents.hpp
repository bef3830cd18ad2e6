#pragma once

#include <chrono>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/entra_errors.hpp"

namespace openarchiver::microsoft365 {

struct TokenDocument {
    std::string access_token;
    std::chrono::seconds expires_in{};
};

/// What a token says about itself. For diagnostics only: it is not validated.
struct TokenClaims {
    std::vector<std::string> roles;

    [[nodiscard]] bool has_role(std::string_view role) const;
    /// Whether one of the permissions consented to includes reading mail / listing users.
    [[nodiscard]] bool reads_mail() const;
    [[nodiscard]] bool lists_users() const;
};

/// unavailable: not a token document.
sdk::Result<TokenDocument> parse_token_document(std::string_view json);

EntraFailure parse_entra_failure(int status, std::string_view body);

/// Absent where the token is opaque.
std::optional<TokenClaims> parse_token_claims(std::string_view access_token);

/// What a federated token says about itself, as far as the registration has to match it.
struct AssertionClaims {
    std::string issuer;
    std::string subject;
    /// Several are joined by ", ".
    std::string audience;
    std::optional<std::chrono::sys_seconds> expires;
};

/// Absent where it is no JWT.
std::optional<AssertionClaims> parse_assertion_claims(std::string_view token);

}  // namespace openarchiver::microsoft365
