#pragma once

#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

namespace openarchiver::http {

/// Scheme, host and port: what decides who receives the token.
struct Origin {
    bool secure = true;
    /// Lower case; an IPv6 address without its brackets.
    std::string host;
    std::uint16_t port = 443;

    bool operator==(const Origin&) const = default;

    /// "https://graph.microsoft.com", "http://127.0.0.1:4700".
    [[nodiscard]] std::string url() const;
    /// The value of the Host header.
    [[nodiscard]] std::string host_header() const;
    [[nodiscard]] bool is_loopback() const;
};

/// A URL of http or https, split at the end of its origin. `target` begins with '/'.
struct SplitUrl {
    Origin origin;
    std::string target;
};

/// Refuses everything that two parsers could read differently: user information, fragments,
/// backslashes, spaces and control characters.
sdk::Result<SplitUrl> split_url(std::string_view url);

/// An origin alone, as profiles give it: no path beyond "/", plain http on loopback only.
/// invalid_config names `setting`.
sdk::Result<Origin> parse_origin(std::string_view setting, std::string_view url);

/// Percent-encodes everything but the unreserved characters of RFC 3986: for ids in paths (whose
/// '/', '+' and '=' must not be taken for syntax) and for form values.
std::string percent_encode(std::string_view text);

}  // namespace openarchiver::http
