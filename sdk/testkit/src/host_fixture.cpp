#include <openarchiver/testkit/host_fixture.hpp>

namespace openarchiver::testkit {

void CapturingLogger::log(sdk::LogLevel level, std::string_view message,
                          std::initializer_list<sdk::LogField> fields) {
    Line line{.level = level, .message = std::string(message), .fields = {}};
    for (const sdk::LogField& field : fields) {
        line.fields.emplace_back(field.key, field.value);
    }
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
}

std::vector<CapturingLogger::Line> CapturingLogger::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

bool CapturingLogger::contains(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    for (const Line& line : lines_) {
        if (line.message.find(text) != std::string::npos) {
            return true;
        }
        for (const auto& [key, value] : line.fields) {
            if (value.find(text) != std::string::npos || key.find(text) != std::string::npos) {
                return true;
            }
        }
    }
    return false;
}

sdk::Result<std::string> FixedSecrets::get(std::string_view pointer) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(pointer);
    if (found == values_.end()) {
        return sdk::Error{.code = sdk::Errc::not_found,
                          .message = "no secret is configured at " + std::string(pointer)};
    }
    return found->second;
}

sdk::Status FixedSecrets::update(std::string_view pointer, std::string_view value) {
    const std::lock_guard lock(mutex_);
    std::string& current = values_[std::string(pointer)];
    if (!current.empty()) {
        replaced_.push_back(current);
    }
    current = value;
    return {};
}

std::vector<std::string> FixedSecrets::all_values() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> values = replaced_;
    for (const auto& [pointer, value] : values_) {
        values.push_back(value);
    }
    return values;
}

std::chrono::system_clock::time_point FakeClock::now() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

std::chrono::steady_clock::time_point FakeClock::steady_now() const {
    const std::lock_guard lock(mutex_);
    return steady_now_;
}

void FakeClock::set(std::chrono::system_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
}

void FakeClock::advance(std::chrono::milliseconds duration) {
    const std::lock_guard lock(mutex_);
    now_ += duration;
    steady_now_ += duration;
}

void CountingMetrics::add(std::string_view counter, std::uint64_t amount) {
    const std::lock_guard lock(mutex_);
    counters_[std::string(counter)] += amount;
}

std::uint64_t CountingMetrics::value(std::string_view counter) const {
    const std::lock_guard lock(mutex_);
    const auto found = counters_.find(counter);
    return found == counters_.end() ? 0 : found->second;
}

void CountingWaker::changed(std::string_view account_id) {
    const std::lock_guard lock(mutex_);
    accounts_.emplace_back(account_id);
}

std::vector<std::string> CountingWaker::accounts() const {
    const std::lock_guard lock(mutex_);
    return accounts_;
}

sdk::HostServices HostFixture::services() {
    return {.logger = logger,
            .secrets = secrets,
            .clock = clock,
            .metrics = metrics,
            .waker = waker,
            .state_folder = folder_.path() / "plugin-folder",
            .profile_folder = folder_.path()};
}

}  // namespace openarchiver::testkit
