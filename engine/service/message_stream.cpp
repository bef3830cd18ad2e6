#include "service/message_stream.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;

namespace {

Error stopped() {
    return {.code = Errc::cancelled, .message = "stopped"};
}

Error gone(std::string_view what) {
    return {.code = Errc::unavailable,
            .message = "the other end of the control socket has gone: " + std::string(what)};
}

}  // namespace

bool wait_ready(int file, short events, const std::stop_token& stop) {
    const int wake = ::eventfd(0, EFD_CLOEXEC);
    bool ready = false;
    {
        const std::stop_callback on_stop(stop, [wake] {
            const std::uint64_t one = 1;
            [[maybe_unused]] const auto written = ::write(wake, &one, sizeof one);
        });
        std::array<pollfd, 2> files{pollfd{file, events, 0}, pollfd{wake, POLLIN, 0}};
        while (!stop.stop_requested()) {
            const int count = ::poll(files.data(), files.size(), -1);
            if (count < 0 && errno == EINTR) {
                continue;
            }
            ready = count < 0 || files[0].revents != 0;  // an error shows in the call that follows
            if (ready) {
                break;
            }
        }
    }
    ::close(wake);
    return ready && !stop.stop_requested();
}

MessageStream::~MessageStream() {
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

MessageStream::MessageStream(MessageStream&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}

sdk::Result<std::string> MessageStream::read(const std::stop_token& stop) {
    std::size_t searched = 0;
    while (true) {
        const std::size_t end = received_.find('\n', searched);
        if (end != std::string::npos) {
            std::string message = received_.substr(0, end);
            received_.erase(0, end + 1);
            return message;
        }
        searched = received_.size();
        if (searched > kMaxMessage) {
            return Error{.code = Errc::corrupt,
                         .message = "a message on the control socket is too long"};
        }
        if (!wait_ready(socket_, POLLIN, stop)) {
            return stopped();
        }
        std::array<char, 16384> buffer{};
        const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return gone(count < 0 ? std::strerror(errno) : "it closed the connection");
        }
        received_.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

sdk::Status MessageStream::write(std::string_view message, const std::stop_token& stop) {
    std::string line(message);
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        if (!wait_ready(socket_, POLLOUT, stop)) {
            return stopped();
        }
        const ssize_t count =
            ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (count < 0) {
            return gone(std::strerror(errno));
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

uid_t MessageStream::peer() const {
    ucred credentials{.pid = 0, .uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
    socklen_t size = sizeof credentials;
    (void)::getsockopt(socket_, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
    return credentials.uid;
}

}  // namespace openarchiver::service
