#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace openarchiver::service {

/// How long a stop may take before calls that do not come back are abandoned.
inline constexpr std::chrono::seconds kStopWithin{8};

/// Calls `give_up`, which is to end the process, when the work that `stop` asks to end is not over
/// (the deadline not destroyed) in time: a call into a plugin can't be interrupted from outside.
class StopDeadline {
public:
    StopDeadline(std::stop_token stop, std::chrono::milliseconds limit,
                 std::function<void()> give_up);
    ~StopDeadline();
    StopDeadline(const StopDeadline&) = delete;
    StopDeadline& operator=(const StopDeadline&) = delete;

private:
    void run(const std::stop_token& stop, const std::stop_token& over);

    const std::chrono::milliseconds limit_;
    const std::function<void()> give_up_;
    std::mutex mutex_;  // for the waits only
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: started when all the rest is there
};

/// Runs `call` on a thread of its own and waits for it until `limit`; after that it is left behind:
/// only for the last moments of a process.
void run_at_most(std::chrono::milliseconds limit, std::function<void(std::stop_token)> call);

}  // namespace openarchiver::service
