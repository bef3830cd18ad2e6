#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/testkit/temporary_folder.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a plugin gets from its host, for tests. Everything is safe for concurrent use.
namespace openarchiver::testkit {

class CapturingLogger final : public sdk::Logger {
public:
    struct Line {
        sdk::LogLevel level = sdk::LogLevel::info;
        std::string message;
        std::vector<std::pair<std::string, std::string>> fields;
    };

    void log(sdk::LogLevel level, std::string_view message,
             std::initializer_list<sdk::LogField> fields = {}) override;

    [[nodiscard]] std::vector<Line> lines() const;
    /// Whether `text` is anywhere in what was logged, field values included.
    [[nodiscard]] bool contains(std::string_view text) const;

private:
    mutable std::mutex mutex_;  // guards lines_
    std::vector<Line> lines_;
};

class FixedSecrets final : public sdk::Secrets {
public:
    FixedSecrets() = default;

    /// By JSON pointer.
    explicit FixedSecrets(std::map<std::string, std::string, std::less<>> values)
        : values_(std::move(values)) {}

    sdk::Result<std::string> get(std::string_view pointer) override;
    sdk::Status update(std::string_view pointer, std::string_view value) override;

    /// Every value that there is or was: none of them may appear in a log.
    [[nodiscard]] std::vector<std::string> all_values() const;

private:
    mutable std::mutex mutex_;  // guards the two below
    std::map<std::string, std::string, std::less<>> values_;
    std::vector<std::string> replaced_;
};

/// Stands still until it is moved.
class FakeClock final : public sdk::Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point now() const override;
    [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override;

    void set(std::chrono::system_clock::time_point now);
    void advance(std::chrono::milliseconds duration);

private:
    mutable std::mutex mutex_;  // guards the two below
    /// 2026-01-01T00:00:00Z
    std::chrono::system_clock::time_point now_{std::chrono::seconds(1767225600)};
    std::chrono::steady_clock::time_point steady_now_{std::chrono::hours(1)};
};

class CountingMetrics final : public sdk::Metrics {
public:
    void add(std::string_view counter, std::uint64_t amount) override;

    [[nodiscard]] std::uint64_t value(std::string_view counter) const;

private:
    mutable std::mutex mutex_;  // guards counters_
    std::map<std::string, std::uint64_t, std::less<>> counters_;
};

class CountingWaker final : public sdk::Waker {
public:
    void changed(std::string_view account_id) override;

    [[nodiscard]] std::vector<std::string> accounts() const;

private:
    mutable std::mutex mutex_;  // guards accounts_
    std::vector<std::string> accounts_;
};

/// A host with everything, and folders of its own.
class HostFixture {
public:
    HostFixture() = default;

    explicit HostFixture(std::map<std::string, std::string, std::less<>> secret_values)
        : secrets(std::move(secret_values)) {}

    /// Valid as long as the fixture.
    [[nodiscard]] sdk::HostServices services();

    [[nodiscard]] const std::filesystem::path& profile_folder() const { return folder_.path(); }

    CapturingLogger logger;
    FixedSecrets secrets;
    FakeClock clock;
    CountingMetrics metrics;
    CountingWaker waker;

private:
    TemporaryFolder folder_;
};

}  // namespace openarchiver::testkit
