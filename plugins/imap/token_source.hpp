#pragma once

#include <chrono>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>

#include "settings.hpp"

namespace openarchiver::imap {

class Resolver;
class TlsContext;

/// Access tokens from an OAuth token endpoint (RFC 6749 sections 4.4 and 6), kept until they
/// expire. Safe for concurrent use: one asks, the others wait.
class TokenSource {
public:
    TokenSource(const OAuthSettings& settings, const sdk::HostServices& host, Resolver& resolver,
                TlsContext& tls)
        : settings_(settings), host_(host), resolver_(resolver), tls_(tls) {}

    /// unauthenticated, unavailable, timed_out, cancelled.
    sdk::Result<std::string> get(const std::stop_token& stop);
    /// The service refused this one: the next get() asks for another.
    void discard(const std::string& token);

private:
    sdk::Result<std::string> ask(const std::stop_token& stop);
    sdk::Result<std::string> post(const std::string& form, int& status,
                                  const std::stop_token& stop);

    const OAuthSettings& settings_;
    const sdk::HostServices host_;
    Resolver& resolver_;
    TlsContext& tls_;
    std::timed_mutex mutex_;  // guards the two below
    std::string token_;
    std::chrono::steady_clock::time_point good_until_;
};

}  // namespace openarchiver::imap
