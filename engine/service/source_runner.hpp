#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "access/access.hpp"
#include "pipeline/sync.hpp"
#include "service/run_progress.hpp"
#include "service/shared_writer.hpp"

namespace openarchiver::service {

/// What a sync run in the service ended with.
struct Pass {
    pipeline::SyncReport report;
    /// The archive's own failure; the report is about upstream then only in part.
    std::optional<sdk::Error> archive_failure;
};

/// How a source stands in the service, beyond what the catalog knows.
struct RunnerState {
    bool running = false;
    sdk::Timestamp next_run_at;
    /// What ended the last run, if it did not reach its end.
    std::optional<sdk::Error> error;
    std::optional<SourceProgress> progress;
    /// A run without a sign of life: what a person should know of it.
    std::string silent;
    /// Since the source was opened.
    plugin::CounterMetrics::Counters metrics;
};

/// Runs one source on its schedule: the next run starts `every` after the last one started, or at
/// once where that took longer; runs never stack. Safe for concurrent use.
class SourceRunner final : private sdk::Waker {
public:
    /// `context` and `writer` outlive the runner. Before its first run it waits for `predecessor`
    /// (may be null), which ran the same source with another configuration.
    SourceRunner(const access::Context& context, SharedWriter& writer, profile::Source source,
                 std::unique_ptr<SourceRunner> predecessor);
    /// Waits until the current run has ended.
    ~SourceRunner() override;
    SourceRunner(const SourceRunner&) = delete;
    SourceRunner& operator=(const SourceRunner&) = delete;

    [[nodiscard]] const profile::Source& source() const { return source_; }

    /// Ends the current run as soon as it can, and starts no other.
    void request_stop();

    /// Runs one pass as soon as the current one has ended, whatever the schedule, and shows it on
    /// `board`, which outlives it. A pass that does not run any more is cancelled.
    std::future<Pass> request(pipeline::SyncOptions options, std::shared_ptr<ProgressBoard> board);

    /// Ends the current run and starts none before resume(); wait_idle() waits for the end.
    void pause();
    sdk::Status wait_idle(std::stop_token stop);
    void resume();

    /// The opened source, for a call from outside that is no part of a run; it stays open as long
    /// as the visit.
    class Visit {
    public:
        explicit Visit(SourceRunner& runner) : runner_(&runner) {}

        Visit(Visit&& other) noexcept : runner_(std::exchange(other.runner_, nullptr)) {}

        Visit& operator=(Visit&&) = delete;

        ~Visit() {
            if (runner_ != nullptr) {
                runner_->leave();
            }
        }

        [[nodiscard]] sdk::ProviderSession& session() const { return *runner_->open_->session; }

        /// It was from the service: only those of strangers count as too many.
        void was_proven() { runner_->forget_visit(); }

    private:
        SourceRunner* runner_;
    };

    /// For a request that anybody may have sent: rate_limited where there are too many of them;
    /// unavailable while the source is not open.
    sdk::Result<Visit> visit();

    [[nodiscard]] RunnerState state();
    /// True once it has stopped for good.
    [[nodiscard]] bool finished();

private:
    struct Request {
        pipeline::SyncOptions options;
        std::shared_ptr<ProgressBoard> board;  // shared with who waits for the answer
        std::promise<Pass> answer;
    };

    /// Upstream has news: a run of the account (of all of them, where none is named) is due now, or
    /// soon after the last one began.
    void changed(std::string_view account_id) override;

    void run(const std::stop_token& stop);
    /// When something is to be done by itself. With mutex_ held.
    [[nodiscard]] std::chrono::steady_clock::time_point due() const;
    /// The next thing to do, waiting for it; false when it is to stop. `options`: of a run that
    /// nobody requested.
    bool wait_for_work(std::optional<Request>& request, pipeline::SyncOptions& options,
                       const std::stop_token& stop);
    Pass run_pass(const pipeline::SyncOptions& options, ProgressBoard* board, std::stop_token stop);
    void finish_pass(const Pass& pass, bool stopped);
    void close_source();
    void leave();
    void forget_visit();
    void log_pass(const Pass& pass) const;
    /// Empty: there were signs of life. With mutex_ held.
    [[nodiscard]] std::string silence(RunProgress& progress) const;

    access::Context context_;
    SharedWriter& writer_;
    const profile::Source source_;
    std::unique_ptr<SourceRunner> predecessor_;
    std::unique_ptr<pipeline::OpenSource> open_;  // the runner's thread only, but for visits

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::deque<Request> requests_;
    bool paused_ = false;
    bool running_ = false;
    bool finished_ = false;
    std::stop_source pass_stop_;
    std::chrono::steady_clock::time_point next_run_;
    std::chrono::steady_clock::time_point last_run_;
    bool all_woken_ = false;
    std::set<std::string, std::less<>> woken_;  // accounts with news
    bool visitable_ = false;
    unsigned visits_ = 0;
    unsigned recent_visits_ = 0;  // since recent_since_
    std::chrono::steady_clock::time_point recent_since_;
    std::optional<sdk::Error> error_;
    std::shared_ptr<RunProgress> progress_;            // shared with boards
    const plugin::CounterMetrics* metrics_ = nullptr;  // of open_, while it is open

    std::jthread thread_;  // last: started when all the rest is there
};

}  // namespace openarchiver::service
