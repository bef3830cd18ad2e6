#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace openarchiver::api {

/// Slows down who guesses credentials: after ten wrong ones within a minute an address has to wait.
/// Safe for concurrent use; remembers a bounded number of addresses.
class SignInGuard {
public:
    using Clock = std::chrono::steady_clock;

    static constexpr unsigned kTries = 10;
    static constexpr std::chrono::seconds kWithin{60};
    static constexpr std::size_t kAddresses = 10'000;

    /// How long the address still has to wait; nothing: it may try.
    [[nodiscard]] std::optional<std::chrono::seconds> wait(const std::string& address,
                                                           Clock::time_point now);
    void failed(const std::string& address, Clock::time_point now);

private:
    struct Tries {
        unsigned count = 0;
        Clock::time_point first;
    };

    std::mutex mutex_;  // guards tries_
    std::map<std::string, Tries> tries_;
};

}  // namespace openarchiver::api
