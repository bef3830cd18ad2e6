#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "http/connection.hpp"
#include "http/origin.hpp"
#include "http/proxy.hpp"
#include "http/resolver.hpp"
#include "http/tls_context.hpp"

namespace openarchiver::http {

/// Keep-alive connections by origin. How many are open at a time is bounded by those who send.
class ConnectionPool {
public:
    ConnectionPool(std::filesystem::path ca_file, std::optional<ProxySettings> proxy)
        : ca_file_(std::move(ca_file)), proxy_(std::move(proxy)) {}

    /// An idle connection, the one used last first; null if there is none that looks alive.
    std::unique_ptr<Connection> take_idle(const Origin& origin);

    sdk::Result<std::unique_ptr<Connection>> open(const Origin& origin,
                                                  const std::stop_token& stop);

    void give_back(const Origin& origin, std::unique_ptr<Connection> connection);

private:
    struct Idle {
        std::unique_ptr<Connection> connection;
        std::chrono::steady_clock::time_point since;
    };

    struct Peer {
        std::unique_ptr<TlsContext> tls;
        std::vector<Idle> idle;
    };

    const std::filesystem::path ca_file_;
    const std::optional<ProxySettings> proxy_;
    Resolver resolver_;
    std::mutex mutex_;  // guards peers_
    std::map<std::string, Peer> peers_;
};

}  // namespace openarchiver::http
