#include "http/connection.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/StreamSocket.h>
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

#include "failure.hpp"
#include "http/resolver.hpp"
#include "http/tls_context.hpp"

namespace openarchiver::microsoft365 {

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

    [[nodiscard]] int descriptor() { return static_cast<int>(stream().impl()->sockfd()); }

    sdk::Status connect(const Poco::Net::SocketAddress& address, SteadyTime deadline,
                        const std::stop_token& stop);
    sdk::Status handshake(SteadyTime deadline, const std::stop_token& stop);

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
        if (secure) {
            secure->setLazyHandshake(true);
        }
        stream().connectNB(address);
        OPENARCHIVER_CHECK(wait(POLLOUT, deadline, stop, "accept the connection"));
        if (const int code = stream().impl()->socketError(); code != 0) {
            return failure(Errc::unavailable, peer + " can't be reached (" +
                                                  std::strerror(code) +  // NOLINT: text only
                                                  ")");
        }
        stream().setNoDelay(true);
        return {};
    } catch (const Poco::Exception& exception) {
        return failure(Errc::unavailable, peer + " can't be reached (" + reason(exception) + ")");
    }
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

sdk::Result<std::unique_ptr<Connection>> Connection::open(const Origin& origin, TlsContext* tls,
                                                          Resolver& resolver, milliseconds timeout,
                                                          const std::stop_token& stop) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
    OPENARCHIVER_TRY(const auto addresses, resolver.resolve(origin.host, stop));
    sdk::Error last = failure(Errc::unavailable, origin.url() + " has no address");
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        // An address that does not answer must not use up the time of those after it.
        const auto now = std::chrono::steady_clock::now();
        const SteadyTime share =
            now + (deadline - now) / static_cast<std::int64_t>(addresses.size() - i);
        auto socket = std::make_unique<Socket>();
        socket->peer = origin.url();
        try {
            if (tls != nullptr) {
                OPENARCHIVER_TRY(const auto context, tls->get());
                socket->secure.emplace(context);
                if (Poco::Net::IPAddress literal;
                    !Poco::Net::IPAddress::tryParse(origin.host, literal)) {
                    socket->secure->setPeerHostName(origin.host);  // server name indication
                }
            }
            sdk::Status status =
                socket->connect(Poco::Net::SocketAddress(addresses[i], origin.port), share, stop);
            if (status && tls != nullptr) {
                status = socket->handshake(deadline, stop);
            }
            if (status) {
                return std::unique_ptr<Connection>(new Connection(std::move(socket)));
            }
            last = std::move(status.error());
        } catch (const Poco::Exception& exception) {
            last = failure(Errc::unavailable,
                           origin.url() + " can't be reached (" + reason(exception) + ")");
        }
        if (last.code == Errc::cancelled || last.service_code == kUntrustedCertificate) {
            break;
        }
    }
    return last;
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
            const int answer = socket_->stream().sendBytes(bytes.data(), count,
                                                           socket_->secure ? 0 : MSG_NOSIGNAL);
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

}  // namespace openarchiver::microsoft365
