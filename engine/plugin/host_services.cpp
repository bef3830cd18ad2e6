#include "plugin/host_services.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace openarchiver::plugin {

namespace {

namespace fs = std::filesystem;

/// A plugin that names counters after accounts or items must not fill the memory.
constexpr std::size_t kMaxCounters = 256;
constexpr std::string_view kOtherCounter = "other";
constexpr std::size_t kMaxLine = 8192;

spdlog::level::level_enum level_of(sdk::LogLevel level) {
    switch (level) {
        case sdk::LogLevel::debug:
            return spdlog::level::debug;
        case sdk::LogLevel::info:
            return spdlog::level::info;
        case sdk::LogLevel::warning:
            return spdlog::level::warn;
        case sdk::LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// One line stays one line, whatever a service put into a text.
void append_plain(std::string& line, std::string_view text) {
    std::ranges::transform(text, std::back_inserter(line),
                           [](char c) { return is_control(c) ? ' ' : c; });
}

void append_value(std::string& line, std::string_view value) {
    const bool plain = !value.empty() && std::ranges::none_of(value, [](char c) {
        return is_control(c) || c == ' ' || c == '"' || c == '=' || c == '\\';
    });
    if (plain) {
        line += value;
        return;
    }
    line += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            line += '\\';
        }
        line += is_control(c) ? ' ' : c;
    }
    line += '"';
}

}  // namespace

SpdlogLogger::SpdlogLogger(std::shared_ptr<spdlog::logger> base, const std::string& name)
    : base_(std::move(base)),
      named_(base_->clone(name)),
      allowance_(std::chrono::steady_clock::now()) {
    named_->set_level(spdlog::level::trace);
}

SpdlogLogger::~SpdlogLogger() {
    if (allowance_.left_out() > 0) {
        named_->warn("OA-7006 {} lines of this plugin were left out", allowance_.left_out());
    }
}

LogAllowance::Answer LogAllowance::take(Time now) {
    lines_ = std::min(kAtOnce,
                      lines_ + std::chrono::duration<double>(now - since_).count() * kEachSecond);
    since_ = now;
    if (left_out_ == 0 ? lines_ < 1 : lines_ < kToGoOn) {
        return {.first = ++left_out_ == 1};
    }
    lines_ -= 1;
    return {.allowed = true, .left_out = std::exchange(left_out_, 0)};
}

void SpdlogLogger::log(sdk::LogLevel level, std::string_view message,
                       std::initializer_list<sdk::LogField> fields) {
    const spdlog::level::level_enum mapped = level_of(level);
    if (!base_->should_log(mapped)) {
        return;
    }
    try {
        LogAllowance::Answer answer{.allowed = true};
        if (!base_->should_log(spdlog::level::debug)) {  // then somebody wants it all
            const std::lock_guard lock(mutex_);
            answer = allowance_.take(std::chrono::steady_clock::now());
        }
        if (answer.first) {
            named_->warn("OA-7005 this plugin logs too much: lines are left out");
        } else if (answer.left_out > 0) {
            named_->warn("OA-7006 {} lines of this plugin were left out", answer.left_out);
        }
        if (!answer.allowed) {
            return;
        }
        std::string line;
        append_plain(line, message.substr(0, kMaxLine));
        for (const sdk::LogField& field : fields) {
            line += ' ';
            append_plain(line, field.key.substr(0, kMaxLine));
            line += '=';
            append_value(line, field.value.substr(0, kMaxLine));
        }
        if (line.size() > kMaxLine) {
            line.resize(kMaxLine);
            line += " [the rest was left out]";
        }
        named_->log(mapped, spdlog::string_view_t(line));
    } catch (...) {
        // Called by plugins: a line that can't be logged must not become their exception.
    }
}

std::chrono::system_clock::time_point SystemClock::now() const {
    return std::chrono::system_clock::now();
}

std::chrono::steady_clock::time_point SystemClock::steady_now() const {
    return std::chrono::steady_clock::now();
}

void CounterMetrics::add(std::string_view counter, std::uint64_t amount) {
    const std::lock_guard lock(mutex_);
    auto found = counters_.find(counter);
    if (found == counters_.end()) {
        const std::string_view name = counters_.size() < kMaxCounters ? counter : kOtherCounter;
        found = counters_.try_emplace(std::string(name), 0).first;
    }
    found->second += amount;
    last_added_ = std::chrono::steady_clock::now();
}

std::chrono::steady_clock::time_point CounterMetrics::last_added() const {
    const std::lock_guard lock(mutex_);
    return last_added_;
}

CounterMetrics::Counters CounterMetrics::snapshot() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

sdk::Result<std::unique_ptr<PluginServices>> PluginServices::open(
    const std::shared_ptr<spdlog::logger>& log, Options options) {
    std::error_code error;
    fs::create_directories(options.state_folder, error);
    if (!error) {
        fs::permissions(options.state_folder, fs::perms::owner_all, error);
    }
    if (error) {
        return sdk::Error{sdk::Errc::unavailable,
                          "creating the folder " + options.state_folder.string() + " for " +
                              options.owner + " failed: " + error.message() +
                              "; check the permissions of the catalog's folder"};
    }
    return std::unique_ptr<PluginServices>(new PluginServices(log, std::move(options)));
}

PluginServices::PluginServices(const std::shared_ptr<spdlog::logger>& log, Options options)
    : logger_(log, options.owner),
      secrets_(options.owner, std::move(options.secrets), options.vault),
      clock_(options.clock != nullptr ? options.clock : &system_clock_),
      waker_(options.waker != nullptr ? options.waker : &deaf_waker_),
      state_folder_(std::move(options.state_folder)),
      profile_folder_(std::move(options.profile_folder)),
      webhook_url_(std::move(options.webhook_url)) {}

sdk::HostServices PluginServices::host() {
    return {logger_, secrets_,      *clock_,         metrics_,
            *waker_, state_folder_, profile_folder_, webhook_url_};
}

}  // namespace openarchiver::plugin
