#include "throttle/backoff.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace openarchiver::microsoft365 {

using std::chrono::milliseconds;

milliseconds exponential(milliseconds base, std::uint32_t attempt, milliseconds longest) {
    return std::min(base * (std::int64_t{1} << std::min(attempt, 20U)), longest);
}

milliseconds with_jitter(milliseconds wait) {
    std::random_device device;
    return wait + milliseconds(std::uniform_int_distribution<std::int64_t>(
                      0, std::max<std::int64_t>(wait.count() / 5, 0))(device));
}

bool sleep_unless_stopped(milliseconds duration, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, duration, [] { return false; });
    return !stop.stop_requested();
}

}  // namespace openarchiver::microsoft365
