#include "time_text.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace graph_simulator {
namespace {

std::tm utc(std::int64_t seconds) {
    const std::time_t time = seconds;
    std::tm parts{};
    gmtime_r(&time, &parts);
    return parts;
}

std::string formatted(std::int64_t seconds, const char* format) {
    const std::tm parts = utc(seconds);
    std::array<char, 64> buffer{};
    const std::size_t length = std::strftime(buffer.data(), buffer.size(), format, &parts);
    return {buffer.data(), length};
}

template <class Clock, class Unit>
std::int64_t count_now() {
    return std::chrono::duration_cast<Unit>(Clock::now().time_since_epoch()).count();
}

}  // namespace

std::int64_t now_seconds() {
    return count_now<std::chrono::system_clock, std::chrono::seconds>();
}

std::int64_t now_milliseconds() {
    return count_now<std::chrono::system_clock, std::chrono::milliseconds>();
}

std::int64_t steady_microseconds() {
    return count_now<std::chrono::steady_clock, std::chrono::microseconds>();
}

std::string iso_time(std::int64_t seconds) {
    return formatted(seconds, "%Y-%m-%dT%H:%M:%SZ");
}

std::string plain_time(std::int64_t seconds) {
    return formatted(seconds, "%Y-%m-%dT%H:%M:%S");
}

std::string token_error_time(std::int64_t seconds) {
    return formatted(seconds, "%Y-%m-%d %H:%M:%SZ");
}

std::string http_date(std::int64_t seconds) {
    return formatted(seconds, "%a, %d %b %Y %H:%M:%S GMT");
}

std::string mail_date(std::int64_t seconds) {
    return formatted(seconds, "%a, %d %b %Y %H:%M:%S +0000");
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
    const std::string copy(text);
    std::tm parts{};
    int used = 0;
    if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                    &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6) {
        return std::nullopt;
    }
    auto at = static_cast<std::size_t>(used);
    if (at < copy.size() && copy[at] == '.') {
        ++at;
        while (at < copy.size() && copy[at] >= '0' && copy[at] <= '9') ++at;
    }
    if (copy.substr(at) != "Z" && copy.substr(at) != "+00:00")
        return std::nullopt;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return timegm(&parts);
}

}  // namespace graph_simulator
