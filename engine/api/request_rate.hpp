#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace openarchiver::api {

/// Keeps one credential from taking the service from the others: each may ask so often, and for a
/// while more often. Safe for concurrent use; remembers as many as there are credentials.
class RequestRate {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr double kEachSecond = 100;
    static constexpr double kAtOnce = 1000;

    /// False: it has to wait a second.
    bool admit(const std::string& credential, Clock::time_point now);

private:
    struct Allowance {
        double left = kAtOnce;
        Clock::time_point at;
    };

    std::mutex mutex_;  // guards allowances_
    std::map<std::string, Allowance> allowances_;
};

}  // namespace openarchiver::api
