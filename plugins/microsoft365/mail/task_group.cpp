#include "mail/task_group.hpp"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

namespace openarchiver::microsoft365 {

void TaskGroup::add(Task task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_one();
}

sdk::Status TaskGroup::run(std::uint32_t threads) {
    const std::stop_callback forward(outer_, [this] { inner_.request_stop(); });
    {
        std::vector<std::jthread> helpers;
        try {
            for (std::uint32_t i = 1; i < threads; ++i) {
                helpers.emplace_back([this] { work(); });
            }
        } catch (const std::system_error&) {
            // No more threads to be had: those that are there do it all.
        }
        work();
    }
    if (error_) {
        return std::move(*error_);
    }
    return {};
}

void TaskGroup::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !tasks_.empty() || running_ == 0; });
        if (tasks_.empty()) {
            changed_.notify_all();
            return;
        }
        const Task task = std::move(tasks_.back());
        tasks_.pop_back();
        if (error_) {
            continue;
        }
        ++running_;
        lock.unlock();
        sdk::Status status = task(inner_.get_token());
        lock.lock();
        --running_;
        if (!status && !error_) {
            error_ = std::move(status.error());
            inner_.request_stop();
        }
        changed_.notify_all();
    }
}

}  // namespace openarchiver::microsoft365
