#include "service/control_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <utility>

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;

namespace {

constexpr std::size_t kMaxConnections = 16;
constexpr std::chrono::milliseconds kAfterFailure{200};
constexpr mode_t kOwnerOnly = 0600;

}  // namespace

sdk::Result<std::unique_ptr<ControlServer>> ControlServer::open(
    const std::filesystem::path& catalog_folder, Handler handler) {
    const auto failed = [&](const char* doing) {
        return Error{.code = Errc::unavailable,
                     .message = "the control socket " + (catalog_folder / kControlSocket).string() +
                                " can't be made: " + doing + ": " + std::strerror(errno)};
    };
    auto folder = std::make_unique<ControlFolder>(catalog_folder);
    if (!folder->opened()) {
        return failed("opening the folder");
    }
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) {
        return failed("making a socket");
    }
    // Owns the socket from here on.
    std::unique_ptr<ControlServer> server(
        new ControlServer(std::move(folder), socket, std::move(handler)));
    if (::unlinkat(server->folder_->descriptor(), kControlSocket, 0) != 0 && errno != ENOENT) {
        return failed("removing an old one");
    }
    // The mode of the socket becomes the mode of its file: nobody else gets in meanwhile.
    const sockaddr_un address = server->folder_->address();
    if (::fchmod(socket, kOwnerOnly) != 0 ||
        ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket, kMaxConnections) != 0) {
        return failed("binding it");
    }
    server->thread_ =
        std::jthread([raw = server.get()](const std::stop_token& stop) { raw->accept_all(stop); });
    return server;
}

ControlServer::ControlServer(std::unique_ptr<ControlFolder> folder, int socket, Handler handler)
    : folder_(std::move(folder)), socket_(socket), handler_(std::move(handler)) {}

ControlServer::~ControlServer() {
    if (thread_.joinable()) {
        ::unlinkat(folder_->descriptor(), kControlSocket, 0);
        thread_.request_stop();
        thread_.join();
    }
    connections_.clear();
    ::close(socket_);
}

void ControlServer::accept_all(const std::stop_token& stop) {
    while (wait_ready(socket_, POLLIN, stop)) {
        const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) {
            // Perhaps there are too many open files: the connection stays ready, so wait a little.
            std::unique_lock lock(mutex_);
            std::condition_variable_any never;
            never.wait_for(lock, stop, kAfterFailure, [] { return false; });
            continue;
        }
        forget_finished();
        MessageStream stream(socket);
        const std::lock_guard lock(mutex_);
        if (connections_.size() >= kMaxConnections) {
            continue;  // closed; the other end sees that nobody answers
        }
        Connection& connection = connections_.emplace_back();
        connection.thread = std::jthread(
            [this, &connection, stream = std::move(stream)](std::stop_token stopped) mutable {
                serve(std::move(stream), std::move(stopped));
                const std::lock_guard finished(mutex_);
                connection.finished = true;
            });
    }
}

void ControlServer::forget_finished() {
    std::list<Connection> finished;
    {
        const std::lock_guard lock(mutex_);
        for (auto i = connections_.begin(); i != connections_.end();) {
            const auto next = std::next(i);
            if (i->finished) {
                finished.splice(finished.end(), connections_, i);
            }
            i = next;
        }
    }
    // Joined here, without the lock that their last step takes.
}

void ControlServer::serve(MessageStream stream, std::stop_token stop) const {
    const auto message = stream.read(stop);
    if (!message) {
        return;
    }
    auto request = decode_request(*message);
    Answer answer;
    if (request) {
        request->person = system_user(stream.peer());
        const Tell tell = [&](std::string_view json_text) {
            const auto told = stream.write(encode(ControlProgress{std::string(json_text)}), stop);
            // While the service stops, the answer that is about to come is what counts.
            return told || told.error().code == Errc::cancelled;
        };
        answer = handler_(*request, tell, stop);
    } else {
        answer.exit_code = ExitCode::usage;
        answer.error = request.error();
    }
    // Also while the service stops: who waits is to know how it ended.
    (void)stream.write(encode(answer), {});
}

}  // namespace openarchiver::service
