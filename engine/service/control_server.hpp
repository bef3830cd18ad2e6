#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "service/control_client.hpp"
#include "service/control_folder.hpp"
#include "service/control_protocol.hpp"

namespace openarchiver::service {

/// Answers verbs on the control socket in the catalog's folder. Only for the holder of the
/// catalog's lock: a socket that it finds there belongs to nobody.
class ControlServer {
public:
    /// Tells the other end how the verb gets on; false: nobody listens any more.
    using Tell = std::function<bool(std::string_view json_text)>;
    /// Called on a thread of the connection's own, several at a time.
    using Handler =
        std::function<Answer(const ControlRequest& request, const Tell& tell, std::stop_token)>;

    /// The handler outlives the server.
    static sdk::Result<std::unique_ptr<ControlServer>> open(
        const std::filesystem::path& catalog_folder, Handler handler);
    /// Stops the handlers and waits for them.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

private:
    struct Connection {
        bool finished = false;
        std::jthread thread;
    };

    ControlServer(std::unique_ptr<ControlFolder> folder, int socket, Handler handler);
    void accept_all(const std::stop_token& stop);
    void serve(MessageStream stream, std::stop_token stop) const;
    void forget_finished();

    std::unique_ptr<ControlFolder> folder_;
    int socket_;
    const Handler handler_;
    std::mutex mutex_;  // guards connections_
    std::list<Connection> connections_;
    std::jthread thread_;  // last: started when all the rest is there
};

}  // namespace openarchiver::service
