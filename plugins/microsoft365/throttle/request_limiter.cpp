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

}  // namespace

void RequestLimiter::Permit::release() {
    if (limiter_ != nullptr) {
        std::exchange(limiter_, nullptr)->give_back(slots_);
    }
}

void RequestLimiter::give_back(std::uint32_t slots) {
    const std::lock_guard lock(mutex_);
    in_flight_ -= slots;
    ++changes_;
    changed_.notify_all();
}

sdk::Result<RequestLimiter::Permit> RequestLimiter::acquire(std::uint32_t slots,
                                                            std::uint32_t requests,
                                                            Patience patience,
                                                            const std::stop_token& stop) {
    slots = std::clamp(slots, 1U, settings_.concurrent);
    std::unique_lock lock(mutex_);
    const auto place = queue_.insert(queue_.end(), Ticket{requests});
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
        // Those behind somebody who waits for room in the window wait for it as well.
        const milliseconds wait =
            std::max(throttle_wait(now, requests), throttle_wait(now, queue_.front().requests));
        if (wait > milliseconds(0) && patience == Patience::refuse) {
            leave_queue();
            sdk::Error error =
                failure(sdk::Errc::rate_limited, "the service's request limit is reached");
            error.retry_after = wait;
            return error;
        }
        if (wait <= milliseconds(0) && place == queue_.begin() &&
            in_flight_ + slots <= settings_.concurrent) {
            in_flight_ += slots;
            record_sent(now, requests);
            leave_queue();
            return Permit(this, slots);
        }
        const milliseconds slice = wait > milliseconds(0) ? std::min(wait, kSlice) : kSlice;
        changed_.wait_for(lock, stop, slice, [&, seen = changes_] { return changes_ != seen; });
    }
}

milliseconds RequestLimiter::throttle_wait(SteadyTime now, std::uint32_t requests) {
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
    std::uint32_t count = sent_count_ + std::min(requests, settings_.window_requests);
    for (auto bucket = sent_.begin(); bucket != sent_.end() && count > settings_.window_requests;
         ++bucket) {
        count -= bucket->count;
        wait =
            std::max(wait, std::chrono::ceil<milliseconds>(bucket->last + settings_.window - now));
    }
    return wait;
}

void RequestLimiter::record_sent(SteadyTime now, std::uint32_t requests) {
    sent_count_ += requests;
    if (!sent_.empty() && now - sent_.back().first < kBucket) {
        sent_.back().last = now;
        sent_.back().count += requests;
    } else {
        sent_.push_back({now, now, requests});
    }
}

milliseconds RequestLimiter::throttled(std::optional<milliseconds> retry_after) {
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
    const std::lock_guard lock(mutex_);
    throttled_in_a_row_ = 0;
}

}  // namespace openarchiver::microsoft365
