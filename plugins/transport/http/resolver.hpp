#pragma once

#include <Poco/Net/IPAddress.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace openarchiver::http {

/// Host names to addresses. The system's resolver can't be interrupted, so it runs in a thread of
/// its own, one for each name, and callers wait for it with their stop token. Answers count for a
/// minute: the services move.
class Resolver {
public:
    Resolver() = default;
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;
    /// Waits for lookups that are still running.
    ~Resolver();

    /// unavailable, cancelled.
    sdk::Result<std::vector<Poco::Net::IPAddress>> resolve(const std::string& host,
                                                           std::stop_token stop);

private:
    struct Entry {
        std::vector<Poco::Net::IPAddress> addresses;
        std::chrono::steady_clock::time_point resolved_at;
        std::string problem;
        bool running = false;
        std::uint64_t lookups = 0;
        std::jthread worker;
    };

    void look_up(const std::string& host);

    std::mutex mutex_;  // guards entries_
    std::condition_variable_any changed_;
    std::map<std::string, Entry> entries_;
};

}  // namespace openarchiver::http
