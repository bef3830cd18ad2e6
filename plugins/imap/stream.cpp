#include "stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "failure.hpp"
#include "resolver.hpp"
#include "tls_context.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;
using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

/// How long a poll may last before the stop token is looked at.
constexpr milliseconds kSlice{250};

SteadyTime deadline_after(milliseconds timeout) {
    return std::chrono::steady_clock::now() + timeout;
}

std::string reason(int code) {
    return std::generic_category().message(code);
}

// OpenSSL's own BIO for sockets writes with write(), which raises SIGPIPE on a closed connection,
// and the signal's disposition belongs to the process: this one sends with MSG_NOSIGNAL.

int* descriptor_of(BIO* bio) {
    return static_cast<int*>(BIO_get_data(bio));
}

int bio_write(BIO* bio, const char* bytes, int count) {
    BIO_clear_retry_flags(bio);
    const auto sent =
        ::send(*descriptor_of(bio), bytes, static_cast<std::size_t>(count), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* bytes, int count) {
    BIO_clear_retry_flags(bio);
    const auto received = ::recv(*descriptor_of(bio), bytes, static_cast<std::size_t>(count), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    return static_cast<int>(received);
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* make_bio(int& descriptor) {
    static BIO_METHOD* const kMethod = [] {
        BIO_METHOD* const method =
            BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "socket");
        BIO_meth_set_write(method, &bio_write);
        BIO_meth_set_read(method, &bio_read);
        BIO_meth_set_ctrl(method, &bio_control);
        return method;
    }();
    BIO* const bio = BIO_new(kMethod);
    BIO_set_data(bio, &descriptor);
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace

struct Stream::Socket {
    Endpoint endpoint;
    int descriptor = -1;
    SSL* tls = nullptr;

    Socket() = default;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    ~Socket() {
        if (tls != nullptr) {
            SSL_free(tls);
            ERR_clear_error();
        }
        if (descriptor >= 0) {
            ::close(descriptor);
        }
    }

    sdk::Status wait(short events, SteadyTime deadline, const std::stop_token& stop,
                     const char* for_what) const {
        for (;;) {
            if (stop.stop_requested()) {
                return cancelled();
            }
            const auto left =
                std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
            pollfd entry{.fd = descriptor, .events = events, .revents = 0};
            const milliseconds slice = std::clamp(left, milliseconds(0), kSlice);
            const int count = ::poll(&entry, 1, static_cast<int>(slice.count()));
            if (count > 0 || (count < 0 && errno != EINTR)) {
                return {};  // the operation itself reports what is wrong
            }
            if (left <= milliseconds(0)) {
                return failure(Errc::timed_out,
                               endpoint.text() + " did not " + for_what + " in time");
            }
        }
    }

    sdk::Status connect(const Address& address, SteadyTime deadline, const std::stop_token& stop) {
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        descriptor =
            ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0) {
            return failure(Errc::resource_exhausted,
                           "no socket can be made (" + reason(errno) + ")");
        }
        int code = 0;
        if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.storage),
                      address.size) != 0) {
            code = errno;
        }
        if (code == EINPROGRESS) {
            OPENARCHIVER_CHECK(wait(POLLOUT, deadline, stop, "accept the connection"));
            socklen_t size = sizeof code;
            ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size);
        }
        if (code != 0) {
            return failure(Errc::unavailable,
                           endpoint.text() + " can't be reached (" + reason(code) + ")");
        }
        const int on = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return {};
    }

    [[nodiscard]] sdk::Error broken(const std::string& why) const {
        return failure(Errc::unavailable,
                       "the connection to " + endpoint.text() + " broke (" + why + ")");
    }

    /// What to wait for after a call to OpenSSL that gave `answer`; an error where that is no use.
    sdk::Result<short> wanted(int answer) const {
        switch (SSL_get_error(tls, answer)) {
            case SSL_ERROR_WANT_READ:
                return short{POLLIN};
            case SSL_ERROR_WANT_WRITE:
                return short{POLLOUT};
            case SSL_ERROR_SYSCALL:
                return broken(errno == 0 ? "it ended" : reason(errno));
            default: {
                const char* const text = ERR_reason_error_string(ERR_peek_error());
                return broken(text == nullptr ? "TLS" : text);
            }
        }
    }
};

Stream::Stream(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}

Stream::~Stream() = default;

sdk::Result<std::unique_ptr<Stream>> Stream::connect(const Endpoint& endpoint, Resolver& resolver,
                                                     milliseconds timeout,
                                                     const std::stop_token& stop) {
    const SteadyTime deadline = deadline_after(timeout);
    OPENARCHIVER_TRY(const auto addresses, resolver.resolve(endpoint.host, endpoint.port, stop));
    auto socket = std::make_unique<Socket>();
    socket->endpoint = endpoint;
    sdk::Status status;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        // An address that does not answer must not use up the time of those after it.
        const auto now = std::chrono::steady_clock::now();
        const auto share = now + (deadline - now) / static_cast<std::int64_t>(addresses.size() - i);
        status = socket->connect(addresses[i], share, stop);
        if (status || status.error().code == Errc::cancelled) {
            break;
        }
    }
    if (!status) {
        return status.error();
    }
    return std::unique_ptr<Stream>(new Stream(std::move(socket)));
}

sdk::Status Stream::secure(TlsContext& context, milliseconds timeout, const std::stop_token& stop) {
    const SteadyTime deadline = deadline_after(timeout);
    Socket& socket = *socket_;
    OPENARCHIVER_TRY(SSL_CTX* const settings, context.get());
    ERR_clear_error();
    socket.tls = SSL_new(settings);
    if (socket.tls == nullptr) {
        return failure(Errc::resource_exhausted, "TLS can't be set up");
    }
    BIO* const bio = make_bio(socket.descriptor);
    SSL_set_bio(socket.tls, bio, bio);
    std::array<unsigned char, sizeof(in6_addr)> literal{};
    const std::string& host = socket.endpoint.host;
    const bool is_address = ::inet_pton(AF_INET, host.c_str(), literal.data()) == 1 ||
                            ::inet_pton(AF_INET6, host.c_str(), literal.data()) == 1;
    X509_VERIFY_PARAM* const parameters = SSL_get0_param(socket.tls);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool bound =
        is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1
                   : X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1 &&
                         SSL_set_tlsext_host_name(socket.tls, host.c_str()) == 1;
    if (!bound) {
        return failure(Errc::invalid_config, "\"" + host + "\" is no host name");
    }
    for (;;) {
        ERR_clear_error();
        errno = 0;
        const int answer = SSL_connect(socket.tls);
        if (answer == 1) {
            return {};
        }
        if (const long problem = SSL_get_verify_result(socket.tls); problem != X509_V_OK) {
            ERR_clear_error();
            return failure(Errc::unavailable,
                           "the certificate of " + socket.endpoint.text() + " is not trusted (" +
                               X509_verify_cert_error_string(problem) +
                               "): if an authority of your own issues it, set ca_file",
                           kUntrustedCertificate);
        }
        const auto events = socket.wanted(answer);
        ERR_clear_error();
        if (!events) {
            sdk::Error error = events.error();
            error.message = "the TLS handshake failed: " + error.message;
            return error;
        }
        OPENARCHIVER_CHECK(socket.wait(*events, deadline, stop, "complete the TLS handshake"));
    }
}

sdk::Status Stream::write(std::string_view bytes, milliseconds timeout,
                          const std::stop_token& stop) {
    const SteadyTime deadline = deadline_after(timeout);
    Socket& socket = *socket_;
    while (!bytes.empty()) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        short events = POLLOUT;
        errno = 0;
        if (socket.tls != nullptr) {
            ERR_clear_error();
            std::size_t sent = 0;
            const int answer = SSL_write_ex(socket.tls, bytes.data(), bytes.size(), &sent);
            if (answer == 1) {
                bytes.remove_prefix(sent);
                continue;
            }
            const auto wanted = socket.wanted(answer);
            ERR_clear_error();
            OPENARCHIVER_TRY(events, sdk::Result<short>(wanted));
        } else {
            const auto sent = ::send(socket.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
                continue;
            }
            if (errno != EAGAIN && errno != EINTR) {
                return socket.broken(reason(errno));
            }
        }
        OPENARCHIVER_CHECK(socket.wait(events, deadline, stop, "take a command"));
    }
    return {};
}

sdk::Result<std::size_t> Stream::read(std::span<std::byte> buffer, milliseconds timeout,
                                      const std::stop_token& stop) {
    const SteadyTime deadline = deadline_after(timeout);
    Socket& socket = *socket_;
    for (;;) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        short events = POLLIN;
        errno = 0;
        if (socket.tls != nullptr) {
            ERR_clear_error();
            std::size_t received = 0;
            const int answer = SSL_read_ex(socket.tls, buffer.data(), buffer.size(), &received);
            if (answer == 1) {
                return received;
            }
            if (SSL_get_error(socket.tls, answer) == SSL_ERROR_ZERO_RETURN) {
                return std::size_t{0};
            }
            const auto wanted = socket.wanted(answer);
            ERR_clear_error();
            OPENARCHIVER_TRY(events, sdk::Result<short>(wanted));
        } else {
            const auto received = ::recv(socket.descriptor, buffer.data(), buffer.size(), 0);
            if (received >= 0) {
                return static_cast<std::size_t>(received);
            }
            if (errno != EAGAIN && errno != EINTR) {
                return socket.broken(reason(errno));
            }
        }
        OPENARCHIVER_CHECK(socket.wait(events, deadline, stop, "answer"));
    }
}

sdk::Result<bool> Stream::wait_for_input(milliseconds timeout, const std::stop_token& stop) {
    const SteadyTime deadline = deadline_after(timeout);
    Socket& socket = *socket_;
    for (;;) {
        if (socket.tls != nullptr) {
            // What comes within TLS may be of its own, such as a new key.
            ERR_clear_error();
            char byte = 0;
            std::size_t count = 0;
            const int answer = SSL_peek_ex(socket.tls, &byte, 1, &count);
            const bool nothing =
                answer != 1 && SSL_get_error(socket.tls, answer) == SSL_ERROR_WANT_READ;
            ERR_clear_error();
            if (!nothing) {
                return true;
            }
        }
        const auto waited = socket.wait(POLLIN, deadline, stop, "tell of news");
        if (!waited && waited.error().code == Errc::timed_out) {
            return false;
        }
        OPENARCHIVER_CHECK(waited);
        if (socket.tls == nullptr) {
            return true;
        }
    }
}

bool Stream::is_stale() const {
    pollfd entry{.fd = socket_->descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) != 0;
}

}  // namespace openarchiver::imap
