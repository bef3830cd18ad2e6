#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <string>

#include "support/scripted_server.hpp"

namespace openarchiver::microsoft365::test {

using namespace http::test;

class TestClock final : public sdk::Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point now() const override {
        return std::chrono::system_clock::now() + offset();
    }

    [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override {
        return frozen_ ? std::chrono::steady_clock::time_point(std::chrono::hours(1)) + offset()
                       : std::chrono::steady_clock::now() + offset();
    }

    void advance(std::chrono::milliseconds by) { offset_ += by.count(); }

    void freeze() { frozen_ = true; }

private:
    [[nodiscard]] std::chrono::milliseconds offset() const {
        return std::chrono::milliseconds(offset_.load());
    }

    std::atomic<std::int64_t> offset_ = 0;
    std::atomic<bool> frozen_ = false;
};

class TestLogger final : public sdk::Logger {
public:
    void log(sdk::LogLevel level, std::string_view message,
             std::initializer_list<sdk::LogField> fields) override {
        const std::lock_guard lock(mutex_);
        text_ += std::string(message);
        for (const sdk::LogField& field : fields) {
            text_ += " " + std::string(field.key) + "=" + std::string(field.value);
        }
        text_ += "\n";
        warnings_ += level >= sdk::LogLevel::warning ? 1 : 0;
    }

    [[nodiscard]] std::string text() const {
        const std::lock_guard lock(mutex_);
        return text_;
    }

private:
    mutable std::mutex mutex_;
    std::string text_;
    int warnings_ = 0;
};

class TestSecrets final : public sdk::Secrets {
public:
    sdk::Result<std::string> get(std::string_view pointer) override {
        const std::lock_guard lock(mutex_);
        const auto found = values_.find(std::string(pointer));
        if (found == values_.end()) {
            return sdk::Error{.code = sdk::Errc::not_found, .message = "no such secret"};
        }
        return found->second;
    }

    sdk::Status update(std::string_view pointer, std::string_view value) override {
        set(std::string(pointer), std::string(value));
        return {};
    }

    void set(std::string pointer, std::string value) {
        const std::lock_guard lock(mutex_);
        values_[std::move(pointer)] = std::move(value);
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::string> values_ = {{"/client_secret", "s3cret~Value+1"}};
};

class TestMetrics final : public sdk::Metrics {
public:
    void add(std::string_view counter, std::uint64_t amount) override {
        const std::lock_guard lock(mutex_);
        counters_[std::string(counter)] += amount;
    }

    std::uint64_t operator[](const std::string& counter) {
        const std::lock_guard lock(mutex_);
        return counters_[counter];
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::uint64_t> counters_;
};

struct TestHost {
    TestClock clock;
    TestLogger logger;
    TestSecrets secrets;
    TestMetrics metrics;

    struct : sdk::Waker {
        void changed(std::string_view) override {}
    } waker;

    sdk::HostServices services() {
        return {.logger = logger,
                .secrets = secrets,
                .clock = clock,
                .metrics = metrics,
                .waker = waker,
                .state_folder = {},
                .profile_folder = {}};
    }
};

}  // namespace openarchiver::microsoft365::test
