#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace openarchiver::cli {

enum class Hangup : std::uint8_t {
    stops,    ///< SIGHUP is one more way to stop: the terminal went away
    is_kept,  ///< ... is kept for on_hangup()
};

/// Takes SIGINT, SIGTERM and SIGHUP away from every thread that starts later and turns them into a
/// stop request; a second one ends the program at once. Made in main() before any other thread; one
/// for the program.
class StopSignals {
public:
    explicit StopSignals(Hangup hangup);
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    [[nodiscard]] std::stop_token token() const { return stop_.get_token(); }

    /// Calls `handler` for each SIGHUP, also for one that came before; on the signals' thread. An
    /// empty one takes it back.
    void on_hangup(std::function<void()> handler);

private:
    void run(const std::stop_token& ended);

    Hangup hangup_;
    std::stop_source stop_;
    std::mutex mutex_;  // guards the two below
    std::function<void()> handler_;
    bool hangup_pending_ = false;
    std::jthread thread_;  // last: started when all the rest is there
};

}  // namespace openarchiver::cli
