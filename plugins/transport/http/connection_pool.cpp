#include "http/connection_pool.hpp"

namespace openarchiver::http {

namespace {

constexpr std::chrono::seconds kConnectTimeout{30};
/// Shorter than the services keep theirs open.
constexpr std::chrono::seconds kMaxIdle{55};
constexpr std::size_t kMaxIdleConnections = 512;

}  // namespace

std::unique_ptr<Connection> ConnectionPool::take_idle(const Origin& origin) {
    const auto now = std::chrono::steady_clock::now();
    // Closing takes system calls; it is done after the lock is given back.
    std::vector<std::unique_ptr<Connection>> dead;
    const std::lock_guard lock(mutex_);
    std::vector<Idle>& idle = peers_[origin.url()].idle;
    while (!idle.empty()) {
        Idle candidate = std::move(idle.back());
        idle.pop_back();
        if (now - candidate.since < kMaxIdle && !candidate.connection->is_stale()) {
            return std::move(candidate.connection);
        }
        dead.push_back(std::move(candidate.connection));
    }
    return nullptr;
}

sdk::Result<std::unique_ptr<Connection>> ConnectionPool::open(const Origin& origin,
                                                              const std::stop_token& stop) {
    TlsContext* tls = nullptr;
    if (origin.secure) {
        const std::lock_guard lock(mutex_);
        Peer& peer = peers_[origin.url()];
        if (!peer.tls) {
            peer.tls = std::make_unique<TlsContext>(origin.host, ca_file_);
        }
        tls = peer.tls.get();
    }
    return Connection::open(origin, tls, proxy_ ? &*proxy_ : nullptr, resolver_, kConnectTimeout,
                            stop);
}

void ConnectionPool::give_back(const Origin& origin, std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    std::vector<Idle>& idle = peers_[origin.url()].idle;
    if (idle.size() < kMaxIdleConnections) {
        idle.push_back({std::move(connection), std::chrono::steady_clock::now()});
    }
}

}  // namespace openarchiver::http
