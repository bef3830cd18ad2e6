#include "http/connection.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>

#include "http/failure.hpp"
#include "http/proxy.hpp"
#include "http/resolver.hpp"
#include "http/tls_context.hpp"

namespace openarchiver::http {

namespace {

using sdk::Errc;
using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// How long a poll may last before the stop token is looked at.
constexpr milliseconds kSlice{250};

/// OpenSSL writes with write(), which raises SIGPIPE on a closed connection. The signal's
/// disposition belongs to the process, so the signal is held back in this thread and swallowed.
class SigpipeGuard {
public:
    SigpipeGuard() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigemptyset(&pending);
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        if (!was_pending_) {
            pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
        }
    }

    SigpipeGuard(const SigpipeGuard&) = delete;
    SigpipeGuard& operator=(const SigpipeGuard&) = delete;

    ~SigpipeGuard() {
        if (was_pending_) {
            return;
        }
        sigset_t pending;
        sigemptyset(&pending);
        sigpending(&pending);
        if (sigismember(&pending, SIGPIPE) == 1) {
            const timespec now{};
            while (sigtimedwait(&pipe_, nullptr, &now) == -1 && errno == EINTR) {
            }
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

private:
    sigset_t pipe_;
    sigset_t before_;
    bool was_pending_ = false;
};

enum class Readiness : std::uint8_t { ready, timed_out, stopped };

Readiness wait_for(int descriptor, short events, SteadyTime deadline, const std::stop_token& stop) {
    for (;;) {
        if (stop.stop_requested()) {
            return Readiness::stopped;
        }
        const auto left =
            std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd entry{.fd = descriptor, .events = events, .revents = 0};
        const milliseconds slice = std::clamp(left, milliseconds(0), kSlice);
        const int count = ::poll(&entry, 1, static_cast<int>(slice.count()));
        if (count > 0 || (count < 0 && errno != EINTR)) {
            return Readiness::ready;  // the operation itself reports what is wrong
        }
        if (left <= milliseconds(0)) {
            return Readiness::timed_out;
        }
    }
}

/// Acknowledges what has come, now: Linux waits 40 ms for something to send with it, and a server
/// that leaves Nagle's algorithm on (Ceph's gateway does) holds back the rest of its answer as
/// long.
void acknowledge(int descriptor) {
    const int on = 1;
    (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

std::string reason(const Poco::Exception& exception) {
    std::string text = exception.name();
    if (!exception.message().empty()) {
        text += ": " + exception.message();
    }
    return text;
}

}  // namespace

struct Connection::Socket {
    Poco::Net::StreamSocket plain;
    std::optional<Poco::Net::SecureStreamSocket> secure;
    std::string peer;

    [[nodiscard]] Poco::Net::StreamSocket& stream() {
        return secure ? static_cast<Poco::Net::StreamSocket&>(*secure) : plain;
    }

    [[nodiscard]] int descriptor() { return static_cast<int>(plain.impl()->sockfd()); }

    sdk::Status connect(const Poco::Net::SocketAddress& address, SteadyTime deadline,
                        const std::stop_token& stop);
    sdk::Status secure_with(TlsContext& tls, const std::string& host, SteadyTime deadline,
                            const std::stop_token& stop);
    sdk::Status handshake(SteadyTime deadline, const std::stop_token& stop);

    /// How many bytes it took, or what to wait for. Poco's own call throws where a plain socket
    /// takes none at the moment.
    [[nodiscard]] int send(const char* bytes, int count) {
        if (secure) {
            return secure->sendBytes(bytes, count);
        }
        const auto sent =
            ::send(descriptor(), bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            throw Poco::IOException(std::strerror(errno));  // NOLINT: text only
        }
        return static_cast<int>(sent);
    }

    /// For an answer of the socket that is no count of bytes: what to wait for.
    [[nodiscard]] static short wanted(int answer, short otherwise) {
        if (answer == Poco::Net::SecureStreamSocket::ERR_SSL_WANT_WRITE) {
            return POLLOUT;
        }
        return otherwise;
    }

    sdk::Status wait(short events, SteadyTime deadline, const std::stop_token& stop,
                     const char* for_what) {
        switch (wait_for(descriptor(), events, deadline, stop)) {
            case Readiness::ready:
                return {};
            case Readiness::stopped:
                return cancelled();
            case Readiness::timed_out:
                break;
        }
        return failure(Errc::timed_out, peer + " did not " + for_what + " in time");
    }
};

sdk::Status Connection::Socket::connect(const Poco::Net::SocketAddress& address,
                                        SteadyTime deadline, const std::stop_token& stop) {
    try {
        plain.connectNB(address);
        OPENARCHIVER_CHECK(wait(POLLOUT, deadline, stop, "accept the connection"));
        if (const int code = plain.impl()->socketError(); code != 0) {
            return failure(Errc::unavailable, peer + " can't be reached (" +
                                                  std::strerror(code) +  // NOLINT: text only
                                                  ")");
        }
        plain.setNoDelay(true);
        return {};
    } catch (const Poco::Exception& exception) {
        return failure(Errc::unavailable, peer + " can't be reached (" + reason(exception) + ")");
    }
}

/// From here on everything is said within TLS. The socket does not block, so attaching it only
/// prepares the handshake.
sdk::Status Connection::Socket::secure_with(TlsContext& tls, const std::string& host,
                                            SteadyTime deadline, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto context, tls.get());
    Poco::Net::IPAddress literal;
    const bool is_name = !Poco::Net::IPAddress::tryParse(host, literal);
    // The name is for server name indication.
    secure.emplace(
        Poco::Net::SecureStreamSocket::attach(plain, is_name ? host : std::string(), context));
    return handshake(deadline, stop);
}

sdk::Status Connection::Socket::handshake(SteadyTime deadline, const std::stop_token& stop) {
    const SigpipeGuard guard;
    TlsContext::clear_verification_problem();
    try {
        for (;;) {
            ERR_clear_error();
            const int answer = secure->completeHandshake();
            if (answer > 0) {
                return {};
            }
            if (answer == 0) {
                return failure(Errc::unavailable, peer +
                                                      " ended the connection during the TLS "
                                                      "handshake");
            }
            OPENARCHIVER_CHECK(
                wait(wanted(answer, POLLIN), deadline, stop, "complete the TLS handshake"));
        }
    } catch (const Poco::Exception& exception) {
        ERR_clear_error();
        if (const std::string problem = TlsContext::last_verification_problem(); !problem.empty()) {
            return failure(Errc::unavailable,
                           "the certificate of " + peer + " is not trusted (" + problem +
                               "): if a proxy or an authority of your own issues it, set ca_file",
                           kUntrustedCertificate);
        }
        return failure(Errc::unavailable,
                       "the TLS handshake with " + peer + " failed (" + reason(exception) + ")");
    }
}

Connection::Connection(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}

Connection::~Connection() {
    const SigpipeGuard guard;  // closing TLS sends a farewell
    ERR_clear_error();
    socket_.reset();
    ERR_clear_error();
}

namespace {

/// Whatever goes wrong before the tunnel stands is the proxy's doing.
sdk::Error as_proxy_fault(sdk::Error error) {
    if (error.code == Errc::timed_out || error.code == Errc::unavailable) {
        error.code = Errc::unavailable;
        if (error.service_code.empty()) {
            error.service_code = kProxyFault;
        }
    }
    return error;
}

}  // namespace

sdk::Result<std::unique_ptr<Connection>> Connection::open(const Origin& origin, TlsContext* tls,
                                                          const ProxySettings* proxy,
                                                          Resolver& resolver, milliseconds timeout,
                                                          const std::stop_token& stop) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
    const bool tunnelled = proxy != nullptr && tls != nullptr;
    const Origin& peer = tunnelled ? proxy->origin : origin;
    const std::string peer_name = (tunnelled ? "the proxy " : "") + peer.url();
    const auto addresses = resolver.resolve(peer.host, stop);
    if (!addresses) {
        if (!tunnelled) {
            return addresses.error();
        }
        sdk::Error error = as_proxy_fault(addresses.error());
        error.message = peer_name + ": " + error.message;
        return error;
    }
    sdk::Error last = failure(Errc::unavailable, peer_name + " has no address");
    for (std::size_t i = 0; i < addresses->size(); ++i) {
        // An address that does not answer must not use up the time of those after it.
        const auto now = std::chrono::steady_clock::now();
        const SteadyTime share =
            now + (deadline - now) / static_cast<std::int64_t>(addresses->size() - i);
        auto socket = std::make_unique<Socket>();
        socket->peer = peer_name;
        std::unique_ptr<Connection> connection(new Connection(std::move(socket)));
        Socket& opened = *connection->socket_;
        try {
            sdk::Status status =
                opened.connect(Poco::Net::SocketAddress((*addresses)[i], peer.port), share, stop);
            if (tunnelled) {
                if (status) {
                    const auto left = std::chrono::ceil<milliseconds>(
                        deadline - std::chrono::steady_clock::now());
                    status = connection->open_tunnel(origin, *proxy, left, stop);
                }
                if (!status) {
                    status = as_proxy_fault(std::move(status.error()));
                }
                opened.peer = origin.url() + " (through " + peer_name + ")";
            }
            if (status && tls != nullptr) {
                status = opened.secure_with(*tls, origin.host, deadline, stop);
            }
            if (status) {
                return connection;
            }
            last = std::move(status.error());
        } catch (const Poco::Exception& exception) {
            last = failure(Errc::unavailable,
                           opened.peer + " can't be reached (" + reason(exception) + ")");
        }
        if (last.code == Errc::cancelled || last.code == Errc::invalid_config ||
            needs_person(last)) {
            break;
        }
    }
    return last;
}

sdk::Status Connection::open_tunnel(const Origin& destination, const ProxySettings& proxy,
                                    milliseconds timeout, const std::stop_token& stop) {
    constexpr std::size_t kMaxHead = 16 * 1024;
    constexpr std::string_view kEnd = "\r\n\r\n";
    OPENARCHIVER_TRY(const std::string request, tunnel_request(proxy, destination));
    OPENARCHIVER_CHECK(write_all(request, timeout, stop));
    std::string head;
    while (head.find(kEnd) == std::string::npos) {
        std::byte part[1024];
        OPENARCHIVER_TRY(const std::size_t count, read_some(part, timeout, stop));
        if (count == 0 || head.size() > kMaxHead) {
            return failure(Errc::unavailable,
                           socket_->peer +
                               " does not answer as a proxy does: check its address "
                               "and port");
        }
        head.append(reinterpret_cast<const char*>(part), count);
    }
    const std::size_t end = head.find(kEnd);
    OPENARCHIVER_CHECK(tunnel_opened(proxy, destination, std::string_view(head).substr(0, end)));
    // The service says nothing before it is spoken to.
    if (head.size() > end + kEnd.size()) {
        return failure(Errc::unavailable, socket_->peer + " sent more than its answer");
    }
    return {};
}

sdk::Status Connection::write_all(std::string_view bytes, milliseconds timeout,
                                  const std::stop_token& stop) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
    const SigpipeGuard guard;
    try {
        while (!bytes.empty()) {
            if (stop.stop_requested()) {
                return cancelled();
            }
            ERR_clear_error();
            const int count = static_cast<int>(std::min<std::size_t>(bytes.size(), 64 * 1024));
            const int answer = socket_->send(bytes.data(), count);
            if (answer > 0) {
                bytes.remove_prefix(static_cast<std::size_t>(answer));
                continue;
            }
            const bool wants_read =
                socket_->secure && answer == Poco::Net::SecureStreamSocket::ERR_SSL_WANT_READ;
            OPENARCHIVER_CHECK(
                socket_->wait(wants_read ? POLLIN : POLLOUT, deadline, stop, "take the request"));
        }
        return {};
    } catch (const Poco::Exception& exception) {
        ERR_clear_error();
        return failure(Errc::unavailable,
                       "the connection to " + socket_->peer + " broke (" + reason(exception) + ")");
    }
}

sdk::Result<std::size_t> Connection::read_some(std::span<std::byte> buffer, milliseconds timeout,
                                               const std::stop_token& stop) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
    std::optional<SigpipeGuard> guard;
    if (socket_->secure) {
        guard.emplace();  // reading TLS may write: alerts, key updates
    }
    try {
        for (;;) {
            if (stop.stop_requested()) {
                return cancelled();
            }
            ERR_clear_error();
            const int size = static_cast<int>(std::min<std::size_t>(buffer.size(), 1024 * 1024));
            const int answer = socket_->stream().receiveBytes(buffer.data(), size);
            if (answer >= 0) {
                return static_cast<std::size_t>(answer);
            }
            acknowledge(socket_->descriptor());
            OPENARCHIVER_CHECK(socket_->wait(
                socket_->secure ? Socket::wanted(answer, POLLIN) : static_cast<short>(POLLIN),
                deadline, stop, "answer"));
        }
    } catch (const Poco::Exception& exception) {
        ERR_clear_error();
        return failure(Errc::unavailable,
                       "the connection to " + socket_->peer + " broke (" + reason(exception) + ")");
    }
}

bool Connection::is_stale() const {
    pollfd entry{.fd = socket_->descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) != 0;
}

}  // namespace openarchiver::http
