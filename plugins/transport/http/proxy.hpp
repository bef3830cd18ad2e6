#pragma once

#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <string>

#include "http/origin.hpp"

namespace openarchiver::http {

/// A proxy that opens tunnels (CONNECT). It sees host and port of a service, never what is said.
struct ProxySettings {
    Origin origin;
    /// For Basic authentication; empty: none.
    std::string user;
    /// Asked for each tunnel.
    std::function<sdk::Result<std::string>()> password;
};

/// The request for a tunnel. invalid_config: the password can't be had.
sdk::Result<std::string> tunnel_request(const ProxySettings& proxy, const Origin& destination);

/// What the proxy's answer means; `head` is everything before the empty line. Errors are
/// unavailable with service_code kProxyFault or kProxyRefusal.
sdk::Status tunnel_opened(const ProxySettings& proxy, const Origin& destination,
                          std::string_view head);

}  // namespace openarchiver::http
