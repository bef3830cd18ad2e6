#include "cli/signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <string_view>
#include <utility>

namespace openarchiver::cli {

namespace {

/// Wakes the waiting thread when the program ends by itself; blocked like the others.
constexpr int kWake = SIGUSR2;

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, kWake);
    return set;
}

}  // namespace

StopSignals::StopSignals(Hangup hangup) : hangup_(hangup) {
    const sigset_t blocked = watched();
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    // A reader that went away is an error of the write, not the end of the program.
    std::signal(SIGPIPE, SIG_IGN);
    thread_ = std::jthread([this](const std::stop_token& ended) { run(ended); });
}

StopSignals::~StopSignals() {
    thread_.request_stop();
    pthread_kill(thread_.native_handle(), kWake);
}

void StopSignals::on_hangup(std::function<void()> handler) {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
    if (handler_ && hangup_pending_) {
        hangup_pending_ = false;
        handler_();
    }
}

void StopSignals::run(const std::stop_token& ended) {
    const sigset_t set = watched();
    int signal = 0;
    while (sigwait(&set, &signal) == 0 && !ended.stop_requested()) {
        if (signal == kWake) {
            continue;
        }
        if (signal == SIGHUP && hangup_ == Hangup::is_kept) {
            const std::lock_guard lock(mutex_);
            if (handler_) {
                handler_();
            } else {
                hangup_pending_ = true;
            }
            continue;
        }
        if (stop_.stop_requested()) {
            static constexpr std::string_view kText = "stopped at once by a second signal\n";
            [[maybe_unused]] const auto written =
                ::write(STDERR_FILENO, kText.data(), kText.size());
            ::_exit(130);
        }
        stop_.request_stop();
    }
}

}  // namespace openarchiver::cli
