#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace openarchiver::sdk {

/// A stop that comes by itself after a time, or with `outer`: for calls that have to be over by
/// then, such as ProviderSession::check(). It has a thread of its own, which ends with it.
class Deadline {
public:
    Deadline(std::chrono::milliseconds time, const std::stop_token& outer)
        : forward_(outer, [this] { source_.request_stop(); }),
          watchdog_([this, time](const std::stop_token& over) {
              std::mutex mutex;
              std::condition_variable_any wait;
              std::unique_lock lock(mutex);
              if (!wait.wait_for(lock, over, time, [] { return false; }) &&
                  !over.stop_requested()) {
                  source_.request_stop();
              }
          }) {}

    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::stop_callback<std::function<void()>> forward_;
    std::jthread watchdog_;
};

}  // namespace openarchiver::sdk
