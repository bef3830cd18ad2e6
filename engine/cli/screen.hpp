#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

namespace openarchiver::cli {

/// Standard error: log lines, announcements, and on a terminal a progress line that stays below
/// them. Safe for concurrent use.
class Screen {
public:
    Screen();

    [[nodiscard]] bool terminal() const { return terminal_; }

    /// Of the terminal, as it is now; 0 without one.
    [[nodiscard]] std::size_t columns() const;
    /// Writes text that ends with a line break.
    void print(std::string_view text);
    /// Replaces the progress line; empty: takes it away. Only on a terminal.
    void progress(std::string_view line);

private:
    bool terminal_;
    std::mutex mutex_;  // guards line_ and the order of what is written
    std::string line_;
};

/// A progress line that renews itself until it is destroyed.
class ProgressDisplay {
public:
    /// `screen` null: shows nothing.
    ProgressDisplay(Screen* screen, std::function<std::string(std::size_t)> render);
    ~ProgressDisplay();
    ProgressDisplay(const ProgressDisplay&) = delete;
    ProgressDisplay& operator=(const ProgressDisplay&) = delete;

private:
    void run(const std::stop_token& stop);

    Screen* screen_;
    std::function<std::string(std::size_t)> render_;
    std::mutex mutex_;  // for the wait only
    std::condition_variable_any wake_;
    std::jthread thread_;  // last: started when all the rest is there
};

}  // namespace openarchiver::cli
