#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <vector>

namespace openarchiver::microsoft365 {

/// Tasks that may add tasks, run by a few threads, newest first: what a task adds comes before what
/// waits. The first error stops the rest.
class TaskGroup {
public:
    using Task = std::function<sdk::Status(const std::stop_token&)>;

    explicit TaskGroup(const std::stop_token& stop) : outer_(stop) {}

    /// From outside before run(), or from within a task.
    void add(Task task);

    /// Runs everything, also in the calling thread, and returns when no thread is left.
    sdk::Status run(std::uint32_t threads);

private:
    void work();

    std::stop_token outer_;
    std::stop_source inner_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable changed_;
    std::vector<Task> tasks_;
    std::uint32_t running_ = 0;
    std::optional<sdk::Error> error_;
};

}  // namespace openarchiver::microsoft365
