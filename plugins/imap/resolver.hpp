#pragma once

#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace openarchiver::imap {

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

/// Host names to addresses. The system's resolver can't be interrupted, so it runs in a thread of
/// its own, one for each name, and callers wait with their stop token. Answers count for a minute.
/// Safe for concurrent use.
class Resolver {
public:
    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    ~Resolver();

    /// unavailable, cancelled. The port is in the addresses.
    sdk::Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port,
                                              const std::stop_token& stop);

private:
    struct Entry {
        std::vector<Address> addresses;
        std::chrono::steady_clock::time_point resolved_at;
        std::string problem;
        bool running = false;
        std::uint64_t lookups = 0;
        std::jthread worker;
    };

    void look_up(const std::string& host, const std::string& port);

    std::mutex mutex_;  // guards entries_
    std::condition_variable_any changed_;
    std::map<std::string, Entry> entries_;  // by host and port
};

}  // namespace openarchiver::imap
