#pragma once

#include <chrono>
#include <string>

namespace openarchiver::microsoft365 {

/// "2027-01-31", in UTC.
inline std::string date_text(std::chrono::system_clock::time_point time) {
    const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
    const auto two = [](unsigned number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day()));
}

/// "2027-01-31T08:00:00Z", as Graph takes it.
inline std::string time_text(std::chrono::system_clock::time_point time) {
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(
        time - std::chrono::floor<std::chrono::days>(time)));
    const auto two = [](auto number) { return (number < 10 ? "0" : "") + std::to_string(number); };
    return date_text(time) + "T" + two(clock.hours().count()) + ":" + two(clock.minutes().count()) +
           ":" + two(clock.seconds().count()) + "Z";
}

}  // namespace openarchiver::microsoft365
