#include "storage/retry.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>

namespace openarchiver::storage {

namespace {

// Half of the delay is chance, so that many callers that failed together don't return together.
std::chrono::milliseconds jittered(std::chrono::milliseconds delay) {
    thread_local std::minstd_rand generator{std::random_device{}()};
    std::uniform_int_distribution<std::int64_t> part(delay.count() / 2, delay.count());
    return std::chrono::milliseconds(part(generator));
}

}  // namespace

bool wait_for_retry(const RetryOptions& options, unsigned next, sdk::Error& error,
                    const std::stop_token& stop) {
    if (!is_retryable(error.code) || next > options.tries) {
        return false;
    }
    // 200 ms, 400 ms, 800 ms, ...
    const unsigned doublings = std::min(next - 2, 20U);
    std::chrono::milliseconds delay =
        jittered(std::min(options.longest_delay,
                          std::chrono::milliseconds(options.first_delay.count() << doublings)));
    if (error.retry_after) {
        if (*error.retry_after > options.longest_retry_after) {
            return false;
        }
        delay = std::max(delay, *error.retry_after);
    }
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, delay, [] { return false; });
    if (stop.stop_requested()) {
        error.code = sdk::Errc::cancelled;
        error.message = "stopped while waiting to try again: " + error.message;
        return false;
    }
    return true;
}

}  // namespace openarchiver::storage
