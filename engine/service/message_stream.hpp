#pragma once

#include <sys/types.h>

#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>

namespace openarchiver::service {

/// Waits until `file` is ready for `events` (of poll()) or `stop`; false: stopped.
[[nodiscard]] bool wait_ready(int file, short events, const std::stop_token& stop);

/// One message a line over a connected socket, which it owns. Used by one thread at a time.
class MessageStream {
public:
    static constexpr std::size_t kMaxMessage = 16U << 20;

    explicit MessageStream(int socket) : socket_(socket) {}

    ~MessageStream();
    MessageStream(MessageStream&& other) noexcept;
    MessageStream& operator=(MessageStream&&) = delete;

    /// The next message without its line break. unavailable: the other end has gone; cancelled.
    sdk::Result<std::string> read(const std::stop_token& stop);
    /// Whose process is at the other end of a Unix socket (SO_PEERCRED): the user who connected.
    [[nodiscard]] uid_t peer() const;
    /// `message` has no line break in it.
    sdk::Status write(std::string_view message, const std::stop_token& stop);

private:
    int socket_;
    std::string received_;
};

}  // namespace openarchiver::service
