// Times as seconds since 1970 in UTC, and the notations Graph, HTTP and mail use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace graph_simulator {

std::int64_t now_seconds();
std::int64_t now_milliseconds();
std::int64_t steady_microseconds();

std::string iso_time(std::int64_t seconds);          // 2026-09-28T21:03:10Z
std::string plain_time(std::int64_t seconds);        // 2026-09-28T21:03:10 (innerError.date)
std::string token_error_time(std::int64_t seconds);  // 2026-09-28 21:03:10Z
std::string http_date(std::int64_t seconds);
std::string mail_date(std::int64_t seconds);
std::optional<std::int64_t> parse_iso_time(std::string_view text);

}  // namespace graph_simulator
