#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/progress.hpp"
#include "plugin/host_services.hpp"

/// Where sync runs stand, for whoever watches them: here or at the other end of the control socket.
namespace openarchiver::service {

struct SourceProgress {
    std::string source;
    pipeline::SyncCounts counts;
    std::uint64_t throttled = 0;
    std::uint64_t bytes_downloaded = 0;
    std::chrono::milliseconds elapsed{0};
    bool finished = false;
    pipeline::Forecast::View forecast;
};

[[nodiscard]] std::string to_json(const std::vector<SourceProgress>& progress);
/// What can't be understood is left out: progress is never worth an error.
[[nodiscard]] std::vector<SourceProgress> parse_progress(std::string_view json_text);

/// One sync run of one source. Safe for concurrent use.
class RunProgress {
public:
    /// `metrics` is used until finish().
    RunProgress(std::string source, const plugin::CounterMetrics& metrics);

    [[nodiscard]] pipeline::SyncProgress& counts() { return counts_; }

    void finish();
    [[nodiscard]] SourceProgress snapshot();

private:
    void read_metrics();

    const std::string source_;
    const std::chrono::steady_clock::time_point started_;
    const plugin::CounterMetrics::Counters before_;
    pipeline::SyncProgress counts_;
    std::mutex mutex_;  // guards what follows
    const plugin::CounterMetrics* metrics_;
    SourceProgress last_;
};

/// The runs that somebody watches. Safe for concurrent use.
class ProgressBoard {
public:
    void add(std::shared_ptr<RunProgress> run);
    [[nodiscard]] std::vector<SourceProgress> snapshot() const;

private:
    mutable std::mutex mutex_;                        // guards runs_
    std::vector<std::shared_ptr<RunProgress>> runs_;  // shared with the runs themselves
};

}  // namespace openarchiver::service
