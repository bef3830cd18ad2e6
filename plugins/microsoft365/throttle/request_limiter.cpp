#include "throttle/request_limiter.hpp"

#include <algorithm>

#include "failure.hpp"
#include "throttle/backoff.hpp"

namespace openarchiver::microsoft365 {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{2'000};
constexpr milliseconds kLongestPause{300'000};
/// The clock is the host's and may be a test's: it is read again at least this often.
constexpr milliseconds kSlice{200};
constexpr milliseconds kBucket{1'000};
/// A listing that has to wait for longer comes back another time, and leaves its thread to others.
constexpr milliseconds kLongestWait = std::chrono::minutes(30);

}  // namespace

void RequestLimiter::Permit::release() {
    if (limiter_ != nullptr) {
        std::exchange(limiter_, nullptr)->give_back();
    }
}

void RequestLimiter::give_back() {
    if (ceiling_ != nullptr) {
        ceiling_->leave();
    }
    give_back_place();
}

void RequestLimiter::give_back_place() {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    ++changes_;
    changed_.notify_all();
}

sdk::Result<RequestLimiter::Permit> RequestLimiter::acquire(Patience patience,
                                                            const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto place = queue_.emplace(queue_.end());
    const auto leave_queue = [&] {
        queue_.erase(place);
        ++changes_;
        changed_.notify_all();
    };
    for (;;) {
        if (stop.stop_requested()) {
            leave_queue();
            return cancelled();
        }
        const SteadyTime now = clock_.steady_now();
        const milliseconds wait = throttle_wait(now);
        if (wait > kLongestWait || (wait > milliseconds(0) && patience == Patience::refuse)) {
            leave_queue();
            sdk::Error error =
                failure(sdk::Errc::rate_limited, "the service's request limit is reached");
            error.retry_after = wait;
            return error;
        }
        if (wait <= milliseconds(0) && place == queue_.begin() &&
            in_flight_ < settings_.concurrent) {
            ++in_flight_;
            record_sent(now);
            leave_queue();
            break;
        }
        const milliseconds slice = wait > milliseconds(0) ? std::min(wait, kSlice) : kSlice;
        changed_.wait_for(lock, stop, slice, [&, seen = changes_] { return changes_ != seen; });
    }
    lock.unlock();
    if (ceiling_ != nullptr) {
        if (auto entered = ceiling_->enter(patience, stop); !entered) {
            give_back_place();
            return entered.error();
        }
    }
    return Permit(this);
}

milliseconds RequestLimiter::throttle_wait(SteadyTime now) {
    milliseconds wait{0};
    if (paused_until_) {
        if (*paused_until_ > now) {
            wait = std::chrono::ceil<milliseconds>(*paused_until_ - now);
        } else {
            paused_until_.reset();
        }
    }
    while (!sent_.empty() && sent_.front().last + settings_.window <= now) {
        sent_count_ -= sent_.front().count;
        sent_.pop_front();
    }
    if (sent_count_ >= settings_.window_requests && !sent_.empty()) {
        const auto room_at = sent_.front().last + settings_.window;
        wait = std::max(wait, std::chrono::ceil<milliseconds>(room_at - now));
    }
    return wait;
}

void RequestLimiter::record_sent(SteadyTime now) {
    ++sent_count_;
    if (!sent_.empty() && now - sent_.back().first < kBucket) {
        sent_.back().last = now;
        ++sent_.back().count;
    } else {
        sent_.push_back({now, now, 1});
    }
}

milliseconds RequestLimiter::throttled(std::optional<milliseconds> retry_after,
                                       ThrottledScope scope) {
    const milliseconds pause = pause_for(retry_after);
    if (ceiling_ != nullptr) {
        ceiling_->throttled(this, scope, pause);
    }
    return pause;
}

milliseconds RequestLimiter::pause_for(std::optional<milliseconds> retry_after) {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = clock_.steady_now();
    milliseconds pause{};
    if (retry_after && *retry_after > milliseconds(0)) {
        pause = with_jitter(*retry_after);
    } else if (paused_until_ && *paused_until_ > now) {
        pause = std::chrono::ceil<milliseconds>(*paused_until_ - now);
    } else {
        pause = with_jitter(exponential(kFirstPause, throttled_in_a_row_++, kLongestPause));
    }
    paused_until_ = std::max(paused_until_.value_or(now), now + pause);
    ++changes_;
    changed_.notify_all();
    return std::chrono::ceil<milliseconds>(*paused_until_ - now);
}

void RequestLimiter::answered() {
    if (ceiling_ != nullptr) {
        ceiling_->answered();
    }
    const std::lock_guard lock(mutex_);
    throttled_in_a_row_ = 0;
}

}  // namespace openarchiver::microsoft365
