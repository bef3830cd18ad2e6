#include "service/source_runner.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "pipeline/scheduled_sync.hpp"

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;

namespace {

/// However often upstream tells of news, runs begin this far apart.
constexpr std::chrono::seconds kBetweenWakes{5};

/// With news of more accounts at a time than this, all are looked at.
constexpr std::size_t kMostWoken = 1000;
constexpr unsigned kMostVisits = 4;
constexpr unsigned kMostRecentVisits = 120;
constexpr std::chrono::seconds kRecent{60};

/// How long a run may count nothing before it is called silent: three times its schedule, within
/// these.
constexpr std::chrono::seconds kLeastPatience{30};
constexpr std::chrono::seconds kMostPatience = std::chrono::minutes(15);

Error stopped_error() {
    return {.code = Errc::cancelled, .message = "stopped before the sync run began"};
}

}  // namespace

SourceRunner::SourceRunner(const access::Context& context, SharedWriter& writer,
                           profile::Source source, std::unique_ptr<SourceRunner> predecessor)
    : context_(context),
      writer_(writer),
      source_(std::move(source)),
      predecessor_(std::move(predecessor)),
      next_run_(std::chrono::steady_clock::now()) {
    if (predecessor_) {
        predecessor_->request_stop();
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

SourceRunner::~SourceRunner() {
    request_stop();
    thread_.join();
}

void SourceRunner::request_stop() {
    thread_.request_stop();
    const std::lock_guard lock(mutex_);
    pass_stop_.request_stop();
}

std::future<Pass> SourceRunner::request(pipeline::SyncOptions options,
                                        std::shared_ptr<ProgressBoard> board) {
    Request request{.options = std::move(options), .board = std::move(board), .answer = {}};
    std::future<Pass> answer = request.answer.get_future();
    const std::lock_guard lock(mutex_);
    if (thread_.get_stop_token().stop_requested()) {
        request.answer.set_value({.report = {}, .archive_failure = stopped_error()});
        return answer;
    }
    requests_.push_back(std::move(request));
    changed_.notify_all();
    return answer;
}

void SourceRunner::pause() {
    const std::lock_guard lock(mutex_);
    paused_ = true;
    pass_stop_.request_stop();
}

sdk::Status SourceRunner::wait_idle(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return !running_; })) {
        return stopped_error();
    }
    return {};
}

void SourceRunner::resume() {
    const std::lock_guard lock(mutex_);
    paused_ = false;
    next_run_ = std::chrono::steady_clock::now();
    changed_.notify_all();
}

RunnerState SourceRunner::state() {
    const std::lock_guard lock(mutex_);
    const auto wait = due() - std::chrono::steady_clock::now();
    RunnerState state;
    state.running = running_;
    state.next_run_at =
        std::chrono::time_point_cast<std::chrono::milliseconds>(context_.clock.now() + wait);
    state.error = error_;
    if (running_ && progress_) {
        state.progress = progress_->snapshot();
        state.silent = silence(*progress_);
    }
    if (metrics_ != nullptr) {
        state.metrics = metrics_->snapshot();
    }
    return state;
}

void SourceRunner::changed(std::string_view account_id) {
    const std::lock_guard lock(mutex_);
    if (account_id.empty() || woken_.size() >= kMostWoken) {
        all_woken_ = true;
    } else {
        woken_.emplace(account_id);
    }
    changed_.notify_all();
}

std::chrono::steady_clock::time_point SourceRunner::due() const {
    return all_woken_ || !woken_.empty()
               ? std::min(next_run_,
                          last_run_ + std::min<std::chrono::seconds>(kBetweenWakes, source_.every))
               : next_run_;
}

sdk::Result<SourceRunner::Visit> SourceRunner::visit() {
    const std::lock_guard lock(mutex_);
    if (!visitable_) {
        return Error{.code = Errc::unavailable,
                     .message = "the source is not open yet",
                     .retry_after = std::chrono::seconds(10)};
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - recent_since_ >= kRecent) {
        recent_since_ = now;
        recent_visits_ = 0;
    }
    if (visits_ >= kMostVisits || recent_visits_ >= kMostRecentVisits) {
        return Error{
            .code = Errc::rate_limited,
            .message = "too many notifications",
            .retry_after = std::chrono::ceil<std::chrono::seconds>(recent_since_ + kRecent - now)};
    }
    ++visits_;
    ++recent_visits_;
    return Visit(*this);
}

void SourceRunner::leave() {
    const std::lock_guard lock(mutex_);
    --visits_;
    changed_.notify_all();
}

void SourceRunner::forget_visit() {
    const std::lock_guard lock(mutex_);
    recent_visits_ -= std::min(recent_visits_, 1U);
}

void SourceRunner::close_source() {
    {
        std::unique_lock lock(mutex_);
        metrics_ = nullptr;
        visitable_ = false;
        changed_.wait(lock, [this] { return visits_ == 0; });
    }
    open_.reset();
}

std::string SourceRunner::silence(RunProgress& progress) const {
    auto last = progress.counts().last_change();
    if (metrics_ != nullptr) {
        last = std::max(last, metrics_->last_added());
    }
    const auto patience =
        std::clamp<std::chrono::seconds>(3 * source_.every, kLeastPatience, kMostPatience);
    const auto since =
        std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - last);
    if (since < patience) {
        return {};
    }
    return "the provider " + source_.provider + " has given no sign of life for " +
           std::to_string(since.count()) +
           " s: a call into it does not come back. Other sources go on; restart the service, and "
           "report it to the plugin's author";
}

bool SourceRunner::finished() {
    const std::lock_guard lock(mutex_);
    return finished_;
}

void SourceRunner::run(const std::stop_token& stop) {
    predecessor_.reset();
    std::optional<Request> request;
    pipeline::SyncOptions options;
    while (wait_for_work(request, options, stop)) {
        std::stop_token pass_stop;
        {
            const std::lock_guard lock(mutex_);
            pass_stop = pass_stop_.get_token();
        }
        const Pass pass = run_pass(request ? request->options : options,
                                   request ? request->board.get() : nullptr, pass_stop);
        finish_pass(pass, pass_stop.stop_requested());
        if (request) {
            request->answer.set_value(pass);
        }
    }
    close_source();
    const std::lock_guard lock(mutex_);
    finished_ = true;
    for (Request& waiting : requests_) {
        waiting.answer.set_value({.report = {}, .archive_failure = stopped_error()});
    }
    requests_.clear();
}

bool SourceRunner::wait_for_work(std::optional<Request>& request, pipeline::SyncOptions& options,
                                 const std::stop_token& stop) {
    request.reset();
    options = {};
    std::unique_lock lock(mutex_);
    const auto asked = [this] { return !paused_ && !requests_.empty(); };
    while (!stop.stop_requested() && !asked()) {
        if (paused_) {
            changed_.wait(lock, stop, [this] { return !paused_; });
        } else if (const auto until = due(); std::chrono::steady_clock::now() >= until) {
            break;
        } else {
            changed_.wait_until(lock, stop, until,
                                [&] { return paused_ || !requests_.empty() || due() < until; });
        }
    }
    if (stop.stop_requested()) {
        return false;
    }
    if (!requests_.empty()) {
        request = std::move(requests_.front());
        requests_.pop_front();
    }
    const auto now = std::chrono::steady_clock::now();
    if (!request && now < next_run_ && !all_woken_) {
        options.accounts.assign(woken_.begin(), woken_.end());
    }
    const pipeline::SyncOptions& chosen = request ? request->options : options;
    // A run of single accounts does not stand in for the scheduled one.
    if (chosen.accounts.empty()) {
        next_run_ = now + source_.every;
    }
    if (chosen.accounts.empty() || !request) {
        last_run_ = now;
        all_woken_ = false;
        woken_.clear();
    }
    running_ = true;
    pass_stop_ = std::stop_source();
    return true;
}

Pass SourceRunner::run_pass(const pipeline::SyncOptions& options, ProgressBoard* board,
                            std::stop_token stop) {
    Pass pass;
    pass.report.source = source_.id;
    auto use = writer_.use(stop);
    if (!use) {
        pass.archive_failure = use.error();
        return pass;
    }
    if (!open_) {
        auto opened = pipeline::open_source(context_, source_, &writer_.vault(), this);
        if (!opened) {
            pass.report.status = pipeline::SourceStatus::error;
            pass.report.error = opened.error();
            return pass;
        }
        open_ = std::move(*opened);
        const std::lock_guard lock(mutex_);
        visitable_ = true;
    }
    const auto progress = std::make_shared<RunProgress>(source_.id, open_->services->metrics());
    std::chrono::steady_clock::time_point next_run;
    {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
        next_run = next_run_;
        metrics_ = &open_->services->metrics();
    }
    const auto& folder = use->archive().catalog_folder();
    if (board != nullptr) {
        board->add(progress);
    }
    if (board != nullptr || !options.accounts.empty()) {
        pass.report =
            pipeline::sync_source(*open_, use->committer(), folder, context_.clock, context_.log,
                                  options, progress->counts(), std::move(stop));
    } else {
        pass.report =
            pipeline::sync_on_schedule(*open_, use->committer(), folder, context_.clock,
                                       context_.log, next_run, progress->counts(), std::move(stop));
    }
    progress->finish();
    pass.archive_failure = use->committer().failure();
    return pass;
}

void SourceRunner::finish_pass(const Pass& pass, bool stopped) {
    if (!stopped) {
        log_pass(pass);
    }
    const std::lock_guard lock(mutex_);
    if (!stopped) {
        error_ = pass.archive_failure ? pass.archive_failure : pass.report.error;
    }
    running_ = false;
    changed_.notify_all();
}

void SourceRunner::log_pass(const Pass& pass) const {
    spdlog::logger& log = *context_.log;
    const auto& counts = pass.report.counts;
    if (pass.archive_failure || pass.report.error) {
        const Error& error = pass.archive_failure ? *pass.archive_failure : *pass.report.error;
        log.error(
            "OA-2002 sync run ended early: source={} code={} new={}: {}; the next one starts {} s "
            "after "
            "this one did",
            source_.id, sdk::to_string(error.code), counts.new_items, error.message,
            source_.every.count());
        return;
    }
    log.info(
        "OA-2001 sync run done: source={} status={} new={} changed={} moved={} left={} failed={} "
        "accounts={} seconds={:.1f}",
        source_.id, pipeline::to_string(pass.report.status), counts.new_items, counts.changed,
        counts.moved, counts.left, counts.failed_items, counts.discovered,
        static_cast<double>(pass.report.duration.count()) / 1000);
}

}  // namespace openarchiver::service
