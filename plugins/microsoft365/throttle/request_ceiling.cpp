#include "throttle/request_ceiling.hpp"

#include <algorithm>
#include <string>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kLowest = 4;
/// So many different mailboxes within so short a time were not throttled each for its own sake.
constexpr std::size_t kCommonMailboxes = 3;
constexpr milliseconds kCommonWithin{10'000};
/// Answers to what was sent before it was lowered don't lower it again.
constexpr milliseconds kLowerAgainAfter{2'000};
constexpr milliseconds kGrowAfter{3'000};
/// The clock is the host's and may be a test's: it is read again at least this often.
constexpr milliseconds kSlice{200};

}  // namespace

RequestCeiling::RequestCeiling(std::uint32_t most, sdk::Clock& clock, sdk::Logger& logger)
    : most_(std::max(most, kLowest)), clock_(clock), logger_(logger), limit_(most_) {}

sdk::Status RequestCeiling::enter(Patience patience, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const SteadyTime now = clock_.steady_now();
        milliseconds pause{0};
        if (paused_until_ && *paused_until_ > now) {
            pause = std::chrono::ceil<milliseconds>(*paused_until_ - now);
        }
        if (pause > milliseconds(0) && patience == Patience::refuse) {
            sdk::Error error = failure(sdk::Errc::rate_limited,
                                       "the service's request limit for the application is "
                                       "reached");
            error.retry_after = pause;
            return error;
        }
        if (pause <= milliseconds(0) && in_flight_ < limit_) {
            ++in_flight_;
            busiest_ = std::max(busiest_, in_flight_);
            return {};
        }
        changed_.wait_for(lock, stop, pause > milliseconds(0) ? std::min(pause, kSlice) : kSlice,
                          [&] { return pause <= milliseconds(0) && in_flight_ < limit_; });
    }
}

void RequestCeiling::leave() {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    changed_.notify_one();
}

void RequestCeiling::throttled(const void* mailbox, ThrottledScope scope, milliseconds pause) {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.steady_now();
    if (scope == ThrottledScope::mailbox) {
        return;
    }
    if (scope == ThrottledScope::application) {
        paused_until_ = std::max(paused_until_.value_or(now), now + pause);
    } else if (!is_common(mailbox, now)) {
        return;
    }
    lower(now);
}

bool RequestCeiling::is_common(const void* mailbox, SteadyTime now) {
    std::erase_if(throttled_, [&](const Throttled& earlier) {
        return earlier.mailbox == mailbox || earlier.at + kCommonWithin <= now;
    });
    throttled_.push_back({mailbox, now});
    return throttled_.size() >= kCommonMailboxes;
}

void RequestCeiling::lower(SteadyTime now) {
    if (lowered_at_ && *lowered_at_ + kLowerAgainAfter > now) {
        return;
    }
    lowered_at_ = now;
    // What was in flight was too much, which may be less than was allowed.
    limit_ = std::max(std::min(limit_, busiest_) / 2, kLowest);
    grew_at_ = now;
    busiest_ = in_flight_;
    logger_.log(sdk::LogLevel::info, "OA-8308 the service throttles the application as a whole",
                {{"requests_at_a_time", std::to_string(limit_)}});
}

void RequestCeiling::answered() {
    const std::lock_guard lock(mutex_);
    if (limit_ == most_ || in_flight_ + 1 < limit_) {
        return;
    }
    if (const SteadyTime now = clock_.steady_now(); now - grew_at_ >= kGrowAfter) {
        grew_at_ = now;
        ++limit_;
        changed_.notify_one();
    }
}

std::uint32_t RequestCeiling::limit() const {
    const std::lock_guard lock(mutex_);
    return limit_;
}

}  // namespace openarchiver::microsoft365
