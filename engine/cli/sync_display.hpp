#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "service/run_progress.hpp"

namespace openarchiver::cli {

/// The progress line of a sync: accounts, messages, speed, time left. Safe for concurrent use.
class SyncDisplay {
public:
    /// One line of less than `columns`; what matters least is left out first.
    [[nodiscard]] std::string line(const std::vector<service::SourceProgress>& progress,
                                   std::size_t columns);

private:
    struct Sample {
        std::chrono::steady_clock::time_point at;
        std::uint64_t items = 0;
        std::uint64_t bytes = 0;
    };

    struct Speed {
        double items = 0;  ///< a second
        double bytes = 0;
    };

    Speed speed(std::uint64_t items, std::uint64_t bytes);

    std::mutex mutex_;  // guards samples_
    std::deque<Sample> samples_;
};

/// The summary for people of a document of `sync --json`.
[[nodiscard]] std::string sync_summary(std::string_view document);

}  // namespace openarchiver::cli
