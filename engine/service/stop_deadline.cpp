#include "service/stop_deadline.hpp"

#include <memory>
#include <utility>

namespace openarchiver::service {

StopDeadline::StopDeadline(std::stop_token stop, std::chrono::milliseconds limit,
                           std::function<void()> give_up)
    : limit_(limit), give_up_(std::move(give_up)) {
    thread_ = std::jthread(
        [this, stop = std::move(stop)](const std::stop_token& over) { run(stop, over); });
}

StopDeadline::~StopDeadline() {
    thread_.request_stop();
    thread_.join();
}

void StopDeadline::run(const std::stop_token& stop, const std::stop_token& over) {
    const std::stop_callback wake_on_stop(stop, [this] {
        const std::lock_guard lock(mutex_);
        wake_.notify_all();
    });
    std::unique_lock lock(mutex_);
    if (!wake_.wait(lock, over, [&] { return stop.stop_requested(); })) {
        return;
    }
    wake_.wait_for(lock, over, limit_, [] { return false; });
    if (!over.stop_requested()) {
        give_up_();
    }
}

void run_at_most(std::chrono::milliseconds limit, std::function<void(std::stop_token)> call) {
    struct State {
        std::mutex mutex;  // guards done
        std::condition_variable changed;
        bool done = false;
    };

    // Shared with the thread, which may be left behind.
    const auto state = std::make_shared<State>();
    std::stop_source stop;
    std::thread([state, call = std::move(call), token = stop.get_token()] {
        call(token);
        const std::lock_guard lock(state->mutex);
        state->done = true;
        state->changed.notify_all();
    }).detach();
    std::unique_lock lock(state->mutex);
    if (!state->changed.wait_for(lock, limit, [&] { return state->done; })) {
        stop.request_stop();
    }
}

}  // namespace openarchiver::service
