#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <utility>
#include <variant>

namespace openarchiver::microsoft365 {

/// What a caller does when the service's limits leave no room.
enum class Patience : std::uint8_t {
    wait,    ///< listings: until there is room, or stop
    refuse,  ///< contents and probes: rate_limited at once
};

struct LimiterSettings {
    std::uint32_t concurrent = 4;
    /// Requests within `window`. The service's limit is 10,000; the rest is for what another
    /// process of the same application sent before.
    std::uint32_t window_requests = 9'900;
    std::chrono::milliseconds window = std::chrono::minutes(10);
};

/// The limits of one mailbox (or of the directory): how many requests are in flight, how many were
/// sent lately, and the pause the service asked for. First come, first served.
class RequestLimiter {
public:
    RequestLimiter(LimiterSettings settings, sdk::Clock& clock)
        : settings_(settings), clock_(clock) {}

    RequestLimiter(const RequestLimiter&) = delete;
    RequestLimiter& operator=(const RequestLimiter&) = delete;

    /// The right to have a request in flight, given back by its destructor.
    class Permit {
    public:
        Permit() = default;

        Permit(Permit&& other) noexcept : limiter_(std::exchange(other.limiter_, nullptr)) {}

        Permit& operator=(Permit&& other) noexcept {
            if (this != &other) {
                release();
                limiter_ = std::exchange(other.limiter_, nullptr);
            }
            return *this;
        }

        ~Permit() { release(); }

        void release();

    private:
        friend class RequestLimiter;

        explicit Permit(RequestLimiter* limiter) : limiter_(limiter) {}

        RequestLimiter* limiter_ = nullptr;
    };

    /// Waits for its turn among the concurrent requests, whatever the patience; waits for a pause
    /// or the window only with Patience::wait. rate_limited (with retry_after), cancelled.
    sdk::Result<Permit> acquire(Patience patience, const std::stop_token& stop);

    /// The service throttled a request: everybody pauses, for as long as it said or, where it did
    /// not, for longer each time. Returns for how long.
    std::chrono::milliseconds throttled(std::optional<std::chrono::milliseconds> retry_after);

    /// The service answered without throttling.
    void answered();

    [[nodiscard]] std::uint32_t concurrent() const { return settings_.concurrent; }

private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    struct Sent {
        SteadyTime first;
        SteadyTime last;
        std::uint32_t count;
    };

    void give_back();
    /// How long until one more may be sent.
    std::chrono::milliseconds throttle_wait(SteadyTime now);
    void record_sent(SteadyTime now);

    const LimiterSettings settings_;
    sdk::Clock& clock_;

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::uint64_t changes_ = 0;
    std::list<std::monostate> queue_;  // who waits, by place
    std::uint32_t in_flight_ = 0;
    std::deque<Sent> sent_;
    std::uint32_t sent_count_ = 0;
    std::optional<SteadyTime> paused_until_;
    std::uint32_t throttled_in_a_row_ = 0;
};

}  // namespace openarchiver::microsoft365
