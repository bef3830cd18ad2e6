#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <string>
#include <string_view>

#include "plugin/secrets.hpp"

namespace spdlog {
class logger;
}

/// What the engine offers to plugins, and uses itself: logging, time, counters, secrets.
namespace openarchiver::plugin {

/// How many lines a plugin may log: so many at once, and then some a second. One that has used them
/// up is silent until there are a good many again.
class LogAllowance {
public:
    using Time = std::chrono::steady_clock::time_point;

    static constexpr double kAtOnce = 500;
    static constexpr double kEachSecond = 5;
    static constexpr double kToGoOn = 50;

    explicit LogAllowance(Time now) : since_(now) {}

    struct Answer {
        bool allowed = false;
        /// Lines that were left out before this one, told once.
        std::uint64_t left_out = 0;
        /// The first one that is left out.
        bool first = false;
    };

    Answer take(Time now);

    /// Lines that were left out and not told of yet.
    std::uint64_t left_out() const { return left_out_; }

private:
    double lines_ = kAtOnce;
    Time since_;
    std::uint64_t left_out_ = 0;
};

/// Writes through the sinks of `base`, at the level that `base` has at the time, under a name of
/// its own; fields follow the message as key=value. Long lines are cut, and too many left out, but
/// at the level debug.
class SpdlogLogger final : public sdk::Logger {
public:
    SpdlogLogger(std::shared_ptr<spdlog::logger> base, const std::string& name);
    ~SpdlogLogger() override;

    void log(sdk::LogLevel level, std::string_view message,
             std::initializer_list<sdk::LogField> fields = {}) override;

private:
    std::shared_ptr<spdlog::logger> base_;   // shared with the program, which sets its level
    std::shared_ptr<spdlog::logger> named_;  // spdlog's clone() gives no other ownership
    std::mutex mutex_;                       // guards allowance_
    LogAllowance allowance_;
};

class SystemClock final : public sdk::Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point now() const override;
    [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override;
};

/// Named counters.
class CounterMetrics final : public sdk::Metrics {
public:
    using Counters = std::map<std::string, std::uint64_t, std::less<>>;

    void add(std::string_view counter, std::uint64_t amount) override;
    [[nodiscard]] Counters snapshot() const;
    /// When something was counted last.
    [[nodiscard]] std::chrono::steady_clock::time_point last_added() const;

private:
    mutable std::mutex mutex_;  // guards both
    Counters counters_;
    std::chrono::steady_clock::time_point last_added_ = std::chrono::steady_clock::now();
};

/// For sources that nobody waits for.
class DeafWaker final : public sdk::Waker {
public:
    void changed(std::string_view) override {}

    [[nodiscard]] bool listens() const override { return false; }
};

/// The services of one source (or of the storage backend), owned together.
class PluginServices {
public:
    struct Options {
        /// The source's id, or "storage": the name in the log and the owner of rotated secrets.
        std::string owner;
        SecretReferences secrets;
        /// May be null: rotated secrets can't be kept then. Must outlive the services.
        SecretVault* vault = nullptr;
        /// Must outlive the services; null: the system's.
        sdk::Clock* clock = nullptr;
        /// Must outlive the services; null: news are left for the next run.
        sdk::Waker* waker = nullptr;
        std::filesystem::path state_folder;
        std::filesystem::path profile_folder;
        /// Empty: notifications can't reach the source.
        std::string webhook_url = {};
    };

    /// Creates the state folder (mode 0700) where there is none yet.
    static sdk::Result<std::unique_ptr<PluginServices>> open(
        const std::shared_ptr<spdlog::logger>& log, Options options);

    /// References to parts of this object: it must outlive what is opened with them.
    [[nodiscard]] sdk::HostServices host();

    [[nodiscard]] const CounterMetrics& metrics() const noexcept { return metrics_; }

private:
    PluginServices(const std::shared_ptr<spdlog::logger>& log, Options options);

    SpdlogLogger logger_;
    ConfiguredSecrets secrets_;
    SystemClock system_clock_;
    CounterMetrics metrics_;
    DeafWaker deaf_waker_;
    sdk::Clock* clock_;
    sdk::Waker* waker_;
    std::filesystem::path state_folder_;
    std::filesystem::path profile_folder_;
    std::string webhook_url_;
};

}  // namespace openarchiver::plugin
