#include "support/scripted_server.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <sys/socket.h>

#include <algorithm>

namespace openarchiver::http::test {

namespace {

const Poco::Timespan kSlice(0, 20'000);

Poco::Net::ServerSocket listen_on_loopback(const Poco::Net::Context::Ptr& tls) {
    const Poco::Net::SocketAddress address("127.0.0.1", 0);
    if (tls) {
        return Poco::Net::SecureServerSocket(address, 64, tls);
    }
    return Poco::Net::ServerSocket(address);
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

}  // namespace

std::string ReceivedRequest::field(std::string_view name) const {
    const std::string wanted = "\r\n" + lower(std::string(name)) + ": ";
    const std::size_t found = lower(head).find(wanted);
    if (found == std::string::npos) {
        return {};
    }
    const std::size_t begin = found + wanted.size();
    return head.substr(begin, std::min(head.find("\r\n", begin), head.size()) - begin);
}

Reply respond(int status, std::string_view body, std::string_view extra_fields) {
    return {.bytes = "HTTP/1.1 " + std::to_string(status) +
                     " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
                     std::string(extra_fields) + "\r\n" + std::string(body)};
}

ScriptedServer::ScriptedServer(Handler handler, Poco::Net::Context::Ptr tls)
    : handler_(std::move(handler)),
      secure_(static_cast<bool>(tls)),
      socket_(listen_on_loopback(tls)),
      port_(socket_.address().port()),
      acceptor_([this](const std::stop_token& stop) { accept(stop); }) {}

ScriptedServer::~ScriptedServer() {
    acceptor_.request_stop();
    acceptor_.join();
    for (std::jthread& worker : workers_) {
        worker.request_stop();
    }
    workers_.clear();
}

std::string ScriptedServer::url(std::string_view host) const {
    return (secure_ ? "https://" : "http://") + std::string(host) + ":" + std::to_string(port_);
}

std::vector<ReceivedRequest> ScriptedServer::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void ScriptedServer::accept(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        if (!socket_.poll(kSlice, Poco::Net::Socket::SELECT_READ)) {
            continue;
        }
        try {
            Poco::Net::StreamSocket socket = socket_.acceptConnection();
            const std::size_t index = connections_++;
            const std::lock_guard lock(mutex_);
            sockets_.push_back(socket);
            workers_.emplace_back(
                [this, socket, index](const std::stop_token& worker_stop) mutable {
                    try {
                        serve(socket, index, worker_stop);
                        socket.close();
                    } catch (const Poco::Exception&) {
                        // The client went away; the next one may not.
                    }
                });
        } catch (const Poco::Exception&) {
            continue;
        }
    }
}

void ScriptedServer::serve(Poco::Net::StreamSocket& socket, std::size_t index,
                           const std::stop_token& stop) {
    std::string input;
    std::size_t count = 0;
    const auto more = [&] {
        char buffer[16 * 1024];
        for (;;) {
            if (stop.stop_requested()) {
                return false;
            }
            if (!secure_ && !socket.poll(kSlice, Poco::Net::Socket::SELECT_READ)) {
                continue;
            }
            socket.setReceiveTimeout(Poco::Timespan(0, 100'000));
            try {
                const int received = socket.receiveBytes(buffer, sizeof(buffer));
                if (received <= 0) {
                    return false;
                }
                input.append(buffer, static_cast<std::size_t>(received));
                return true;
            } catch (const Poco::TimeoutException&) {
                continue;
            }
        }
    };
    for (;;) {
        std::size_t end = 0;
        while ((end = input.find("\r\n\r\n")) == std::string::npos) {
            if (!more()) {
                return;
            }
        }
        ReceivedRequest request;
        request.connection = index;
        request.on_connection = count++;
        request.head = input.substr(0, end);
        input.erase(0, end + 4);
        const std::size_t space = request.head.find(' ');
        request.method = request.head.substr(0, space);
        request.target =
            request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
        const std::string length = request.field("Content-Length");
        const std::size_t size = length.empty() || !reads_bodies_ ? 0 : std::stoul(length);
        while (input.size() < size) {
            if (!more()) {
                return;
            }
        }
        request.body = input.substr(0, size);
        input.erase(0, size);
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        const Reply reply = handler_(request);
        const auto until = std::chrono::steady_clock::now() + reply.delay;
        while (std::chrono::steady_clock::now() < until && !stop.stop_requested()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        std::string_view rest = reply.bytes;
        while (!rest.empty()) {
            const int sent = socket.sendBytes(rest.data(), static_cast<int>(rest.size()),
                                              secure_ ? 0 : MSG_NOSIGNAL);
            rest.remove_prefix(static_cast<std::size_t>(std::max(sent, 0)));
        }
        if (reply.hang) {
            while (!stop.stop_requested()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
            return;
        }
        if (reply.close) {
            socket.shutdown();
            return;
        }
    }
}

}  // namespace openarchiver::http::test
