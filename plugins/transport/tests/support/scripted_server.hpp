#pragma once

#include <Poco/Net/Context.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace openarchiver::http::test {

struct ReceivedRequest {
    std::string method;
    std::string target;
    /// Everything before the empty line.
    std::string head;
    std::string body;
    /// Which connection, from 0, and which request on it, from 0.
    std::size_t connection = 0;
    std::size_t on_connection = 0;

    [[nodiscard]] std::string field(std::string_view name) const;
};

struct Reply {
    /// Sent as it is: status line, header, framing and all.
    std::string bytes;
    bool close = false;
    /// Before sending.
    std::chrono::milliseconds delay{0};
    /// After sending: keep the connection open and say nothing.
    bool hang = false;
};

/// A whole response with Content-Length.
Reply respond(int status, std::string_view body, std::string_view extra_fields = {});

/// A server on a loopback port that answers as a function tells.
class ScriptedServer {
public:
    using Handler = std::function<Reply(const ReceivedRequest&)>;

    /// With a context it speaks TLS.
    explicit ScriptedServer(Handler handler, Poco::Net::Context::Ptr tls = nullptr);
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer();

    /// From now on requests are answered as soon as their heads are there.
    void answer_before_body() { reads_bodies_ = false; }

    [[nodiscard]] std::uint16_t port() const { return port_; }

    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const;
    [[nodiscard]] std::vector<ReceivedRequest> requests() const;

    [[nodiscard]] std::size_t connections() const { return connections_; }

private:
    void accept(const std::stop_token& stop);
    void serve(Poco::Net::StreamSocket& socket, std::size_t index, const std::stop_token& stop);

    const Handler handler_;
    const bool secure_;
    Poco::Net::ServerSocket socket_;
    std::uint16_t port_;
    std::atomic<std::size_t> connections_ = 0;
    std::atomic<bool> reads_bodies_ = true;
    mutable std::mutex mutex_;  // guards requests_, sockets_ and workers_
    std::vector<ReceivedRequest> requests_;
    /// Closed by their workers, destroyed after them.
    std::vector<Poco::Net::StreamSocket> sockets_;
    std::vector<std::jthread> workers_;
    std::jthread acceptor_;
};

}  // namespace openarchiver::http::test
