#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <openarchiver/sdk/error.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/forecast.hpp"

namespace openarchiver::pipeline {

/// Where a sync run stands, for people who watch it and for its report.
struct SyncCounts {
    // Accounts by what became of them; they add up to `discovered` at the end of a run.
    std::uint64_t discovered = 0;
    std::uint64_t up_to_date = 0;
    std::uint64_t importing = 0;
    std::uint64_t without_mailbox = 0;
    std::uint64_t excluded = 0;
    std::uint64_t closed_by_policy = 0;
    std::uint64_t deleted_upstream = 0;
    std::uint64_t failed_accounts = 0;
    // Items.
    std::uint64_t new_items = 0;
    std::uint64_t changed = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t moved = 0;
    std::uint64_t left = 0;
    std::uint64_t gone_before_fetch = 0;
    std::uint64_t failed_items = 0;
    /// Of the failed ones: what could be had was archived.
    std::uint64_t reconstructed = 0;
    std::uint64_t failed_folders = 0;
    /// Bytes of the contents that became durable.
    std::uint64_t archived_bytes = 0;
    /// How many items are expected to be fetched in this run, as far as listings told.
    std::uint64_t expected_items = 0;
};

/// Safe for concurrent use.
class SyncProgress {
public:
    template <typename Change>
    void update(Change&& change) {
        const std::lock_guard lock(mutex_);
        change(counts_);
        last_change_ = std::chrono::steady_clock::now();
    }

    [[nodiscard]] std::chrono::steady_clock::time_point last_change() const {
        const std::lock_guard lock(mutex_);
        return last_change_;
    }

    [[nodiscard]] SyncCounts snapshot() const {
        const std::lock_guard lock(mutex_);
        return counts_;
    }

    [[nodiscard]] Forecast& forecast() { return forecast_; }

private:
    Forecast forecast_;
    mutable std::mutex mutex_;  // guards the two below
    SyncCounts counts_;
    std::chrono::steady_clock::time_point last_change_ = std::chrono::steady_clock::now();
};

/// Source status as people see it (docs/cli.md).
enum class SourceStatus : std::uint8_t { pending, importing, active, paused, attention, error };

[[nodiscard]] std::string_view to_string(SourceStatus status) noexcept;

/// The result of a sync run of one source: what `sync --json` prints for it.
struct SyncReport {
    std::string source;
    SourceStatus status = SourceStatus::pending;
    SyncCounts counts;
    std::map<std::string, std::uint64_t, std::less<>> metrics;  ///< requests, throttled, ...
    std::chrono::milliseconds duration{0};
    /// Items that could not be archived, in this run or before, and were not accepted.
    std::uint64_t outstanding_failures = 0;
    /// What discovery could not read although the run went on; needs a person.
    std::vector<sdk::Error> problems;
    /// When the credential that the source is read with stops working, where that is known.
    std::optional<sdk::Timestamp> credentials_expire;
    /// Why the run ended before its end, if it did.
    std::optional<sdk::Error> error;
};

/// The document of one source, compact JSON.
[[nodiscard]] std::string to_json(const SyncReport& report);
/// The problems of a report's document; none where there is no report.
[[nodiscard]] std::vector<sdk::Error> problems_of(std::string_view report_json);

}  // namespace openarchiver::pipeline
