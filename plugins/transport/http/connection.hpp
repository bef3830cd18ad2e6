#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <stop_token>
#include <string_view>

#include "http/origin.hpp"

namespace openarchiver::http {

class Resolver;
class TlsContext;
struct ProxySettings;

/// One TCP or TLS connection whose calls never block for longer than a quarter of a second
/// without looking at the stop token.
class Connection {
public:
    /// `tls` is null for plain http; `proxy`, which may be null, is for TLS only: what is plain is
    /// on this machine. unavailable, timed_out, invalid_config, cancelled; an untrusted certificate
    /// is unavailable with service_code kUntrustedCertificate, what is the proxy's fault with
    /// kProxyFault or kProxyRefusal.
    static sdk::Result<std::unique_ptr<Connection>> open(const Origin& origin, TlsContext* tls,
                                                         const ProxySettings* proxy,
                                                         Resolver& resolver,
                                                         std::chrono::milliseconds timeout,
                                                         const std::stop_token& stop);

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    sdk::Status write_all(std::string_view bytes, std::chrono::milliseconds timeout,
                          const std::stop_token& stop);

    /// What is there, at least one byte; 0 when the other side ended the connection.
    sdk::Result<std::size_t> read_some(std::span<std::byte> buffer,
                                       std::chrono::milliseconds timeout,
                                       const std::stop_token& stop);

    /// Whether an idle connection was closed (or spoken on) by the other side meanwhile.
    [[nodiscard]] bool is_stale() const;

private:
    struct Socket;
    sdk::Status open_tunnel(const Origin& destination, const ProxySettings& proxy,
                            std::chrono::milliseconds timeout, const std::stop_token& stop);
    explicit Connection(std::unique_ptr<Socket> socket);

    std::unique_ptr<Socket> socket_;
};

}  // namespace openarchiver::http
