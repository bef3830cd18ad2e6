#include "export/time_filter.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace openarchiver::exporter {

namespace {

using namespace std::chrono;

/// Takes numbers and separators off the front of a text; once something is wrong, it stays wrong.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        int value = 0;
        if (rest_.size() < count || !std::ranges::all_of(rest_.substr(0, count), [](char c) {
                return c >= '0' && c <= '9';
            })) {
            good_ = false;
            return 0;
        }
        std::from_chars(rest_.data(), rest_.data() + count, value);
        rest_.remove_prefix(count);
        return value;
    }

    bool take(char wanted) {
        if (rest_.empty() || rest_.front() != wanted) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    void expect(char wanted) { good_ = take(wanted) && good_; }

    /// Of a second; digits beyond the third are of no interest.
    milliseconds fraction() {
        int value = 0;
        int scale = 100;
        bool any = false;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            value += (rest_.front() - '0') * scale;
            scale /= 10;
            any = true;
            rest_.remove_prefix(1);
        }
        good_ = good_ && any;
        return milliseconds(value);
    }

    [[nodiscard]] bool good() const { return good_; }

    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
    bool good_ = true;
};

std::optional<minutes> zone_of(Reader& reader) {
    if (reader.take('Z') || reader.take('z')) {
        return minutes(0);
    }
    const bool east = reader.take('+');
    if (!east) {
        reader.expect('-');
    }
    const int hour = reader.digits(2);
    reader.expect(':');
    const int minute = reader.digits(2);
    if (!reader.good() || hour > 23 || minute > 59) {
        return std::nullopt;
    }
    const auto offset = minutes(hour * 60 + minute);
    return east ? offset : -offset;
}

std::optional<sdk::Timestamp> parsed(std::string_view text) {
    Reader reader(text);
    const int year_number = reader.digits(4);
    reader.expect('-');
    const int month_number = reader.digits(2);
    reader.expect('-');
    const int day_number = reader.digits(2);
    const year_month_day date(year(year_number), month(static_cast<unsigned>(month_number)),
                              day(static_cast<unsigned>(day_number)));
    if (!reader.good() || !date.ok()) {
        return std::nullopt;
    }
    sdk::Timestamp time = sys_days(date);
    if (reader.at_end()) {
        return time;
    }
    if (!reader.take('t') && !reader.take(' ')) {
        reader.expect('T');
    }
    const int hour = reader.digits(2);
    reader.expect(':');
    const int minute = reader.digits(2);
    reader.expect(':');
    const int second = reader.digits(2);
    if (!reader.good() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    time += hours(hour) + minutes(minute) + seconds(second);
    if (reader.take('.')) {
        time += reader.fraction();
    }
    const auto zone = zone_of(reader);
    if (!zone || !reader.good() || !reader.at_end()) {
        return std::nullopt;
    }
    return time - *zone;
}

}  // namespace

sdk::Result<sdk::Timestamp> parse_time(std::string_view text) {
    if (const auto time = parsed(text)) {
        return *time;
    }
    return sdk::Error{.code = sdk::Errc::invalid_argument,
                      .message = "\"" + std::string(text) +
                                 "\" is not a day or time: write 2026-03-01 or "
                                 "2026-03-01T14:05:09Z"};
}

}  // namespace openarchiver::exporter
