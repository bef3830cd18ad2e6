#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>

namespace openarchiver::microsoft365 {

/// What a caller does when the service's limits leave no room.
enum class Patience : std::uint8_t {
    wait,    ///< listings: until there is room, or stop
    refuse,  ///< contents and probes: rate_limited at once
};

/// Whose limit an answer of throttling speaks of.
enum class ThrottledScope : std::uint8_t {
    mailbox,
    application,
    unknown,  ///< a mailbox's, unless several get it at the same time
};

/// How many requests all mailboxes together have in flight. It begins at the most that can be, so
/// that it binds nobody. When the service throttles the application as a whole it is halved, and
/// then grows by one every few seconds in which it was reached: each time that it grows too far
/// costs several refusals and their pauses.
class RequestCeiling {
public:
    RequestCeiling(std::uint32_t most, sdk::Clock& clock, sdk::Logger& logger);

    RequestCeiling(const RequestCeiling&) = delete;
    RequestCeiling& operator=(const RequestCeiling&) = delete;

    /// Waits for a place, whatever the patience; waits for a pause only with Patience::wait.
    /// rate_limited (with retry_after), cancelled.
    sdk::Status enter(Patience patience, const std::stop_token& stop);
    void leave();

    /// `mailbox` tells mailboxes apart. `pause` is what the service asked for.
    void throttled(const void* mailbox, ThrottledScope scope, std::chrono::milliseconds pause);
    /// The service answered without throttling.
    void answered();

    /// How many may be in flight now.
    [[nodiscard]] std::uint32_t limit() const;

private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    struct Throttled {
        const void* mailbox;
        SteadyTime at;
    };

    void lower(SteadyTime now);
    /// Several mailboxes were throttled lately.
    bool is_common(const void* mailbox, SteadyTime now);

    const std::uint32_t most_;
    sdk::Clock& clock_;
    sdk::Logger& logger_;

    mutable std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::uint32_t limit_;
    std::uint32_t in_flight_ = 0;
    std::uint32_t busiest_ = 0;  ///< most in flight since it was lowered last
    std::deque<Throttled> throttled_;
    std::optional<SteadyTime> lowered_at_;
    SteadyTime grew_at_;
    std::optional<SteadyTime> paused_until_;
};

}  // namespace openarchiver::microsoft365
