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

#include "throttle/request_ceiling.hpp"

namespace openarchiver::microsoft365 {

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
    /// `ceiling`: what it shares with others; none for the directory, which has limits of its own.
    RequestLimiter(LimiterSettings settings, sdk::Clock& clock, RequestCeiling* ceiling = nullptr)
        : settings_(settings), clock_(clock), ceiling_(ceiling) {}

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
    /// or the window only with Patience::wait, and not for longer than half an hour. rate_limited
    /// (with retry_after), cancelled.
    sdk::Result<Permit> acquire(Patience patience, const std::stop_token& stop);

    /// The service throttled a request: everybody pauses, for as long as it said or, where it did
    /// not, for longer each time. Returns for how long.
    std::chrono::milliseconds throttled(std::optional<std::chrono::milliseconds> retry_after,
                                        ThrottledScope scope = ThrottledScope::mailbox);

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
    void give_back_place();
    std::chrono::milliseconds pause_for(std::optional<std::chrono::milliseconds> retry_after);
    /// How long until one more may be sent.
    std::chrono::milliseconds throttle_wait(SteadyTime now);
    void record_sent(SteadyTime now);

    const LimiterSettings settings_;
    sdk::Clock& clock_;
    RequestCeiling* const ceiling_;

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
