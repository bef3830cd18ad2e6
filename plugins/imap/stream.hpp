#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace openarchiver::imap {

class Resolver;
class TlsContext;

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;

    [[nodiscard]] std::string text() const { return host + ":" + std::to_string(port); }
};

/// A TCP connection, within TLS once secure() succeeded. No call blocks for longer than a quarter
/// of a second without looking at the stop token.
class Stream {
public:
    /// unavailable, timed_out, cancelled.
    static sdk::Result<std::unique_ptr<Stream>> connect(const Endpoint& endpoint,
                                                        Resolver& resolver,
                                                        std::chrono::milliseconds timeout,
                                                        const std::stop_token& stop);

    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream();

    /// Chain and host name are checked during the handshake. A certificate that is not trusted is
    /// unavailable with service_code kUntrustedCertificate: no try again helps, but a new
    /// certificate.
    sdk::Status secure(TlsContext& context, std::chrono::milliseconds timeout,
                       const std::stop_token& stop);

    sdk::Status write(std::string_view bytes, std::chrono::milliseconds timeout,
                      const std::stop_token& stop);

    /// At least one byte; 0 when the other side ended the connection.
    sdk::Result<std::size_t> read(std::span<std::byte> buffer, std::chrono::milliseconds timeout,
                                  const std::stop_token& stop);

    /// Waits for something to read, or the end: false where neither came within `timeout`.
    sdk::Result<bool> wait_for_input(std::chrono::milliseconds timeout,
                                     const std::stop_token& stop);

    /// Whether the other side closed the connection meanwhile, or said something.
    [[nodiscard]] bool is_stale() const;

private:
    struct Socket;
    explicit Stream(std::unique_ptr<Socket> socket);

    std::unique_ptr<Socket> socket_;
};

}  // namespace openarchiver::imap
