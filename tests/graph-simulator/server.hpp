// HTTP and HTTPS on the loopback address, in one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http_types.hpp"

namespace graph_simulator {

class Server : public Scheduler {
public:
    Server();
    ~Server() override;

    // Both return the port in use; 0 asks for a free one.
    std::uint16_t listen_http(std::uint16_t port, RequestHandler& handler);
    std::uint16_t listen_https(std::uint16_t port, const std::string& certificate_pem,
                               const std::string& key_pem, RequestHandler& handler);
    void run();  // until stop() or a termination signal

    void after(std::int64_t milliseconds, std::function<void()> action) override;
    void post(const OutgoingPost& post, std::function<void(const Posted&)> done) override;
    void stop() override;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace graph_simulator
