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

}  // namespace openarchiver::microsoft365
