#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "auth/credentials.hpp"
#include "auth/token_documents.hpp"
#include "failure.hpp"
#include "http/http_client.hpp"
#include "throttle/request_limiter.hpp"

namespace openarchiver::microsoft365 {

struct TokenSettings {
    Origin authority;
    Origin graph;
    std::string tenant_id;
    std::string client_id;
    CredentialSettings credential = {};
};

struct Token {
    std::string value;
    /// Which of the tokens it is, for invalidate().
    std::uint64_t generation = 0;
};

/// The application's token: cached, renewed before it expires, asked for once however many need it.
/// While it is being renewed ahead of its expiry, and when that fails, the earlier one goes on
/// being used.
class TokenSource {
public:
    TokenSource(TokenSettings settings, HttpClient& http, RequestLimiter& directory,
                const sdk::HostServices& host)
        : settings_(std::move(settings)),
          credentials_(settings_.credential, host),
          http_(http),
          directory_(directory),
          host_(host) {}

    [[nodiscard]] const Credentials& credentials() const { return credentials_; }

    /// unauthenticated, invalid_config (unusable credential), rate_limited, unavailable, cancelled.
    sdk::Result<Token> get(Patience patience, const std::stop_token& stop);

    /// The service refused this token. A newer one is left alone.
    void invalidate(std::uint64_t generation);

    /// The next token is a new one: only that shows what was consented to since.
    void discard();

    /// What the latest token says; absent before the first and where tokens are opaque.
    std::optional<TokenClaims> claims();

private:
    sdk::Result<Token> get_or_renew(const std::stop_token& stop);
    /// The token in use, as long as it is good; called with the lock held.
    [[nodiscard]] bool is_good() const;
    sdk::Result<TokenDocument> request(const std::stop_token& stop);
    sdk::Result<TokenDocument> request_once(const std::stop_token& stop);

    const TokenSettings settings_;
    const Credentials credentials_;
    HttpClient& http_;
    RequestLimiter& directory_;
    const sdk::HostServices host_;

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::optional<Token> token_;
    std::chrono::steady_clock::time_point renew_at_;
    std::chrono::steady_clock::time_point expires_at_;
    std::uint64_t generation_ = 0;
    std::optional<TokenClaims> claims_;
    bool renewing_ = false;
    std::uint64_t renewals_ = 0;
    std::optional<sdk::Error> last_error_;
};

}  // namespace openarchiver::microsoft365
