#pragma once

#include <chrono>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/body_decoder.hpp"

namespace openarchiver::http {

/// Status line and header fields of a response.
struct ResponseHead {
    int status = 0;
    bool http_1_1 = true;
    std::vector<std::pair<std::string, std::string>> fields;

    /// The first field of that name (in any case), or an empty text.
    [[nodiscard]] std::string_view field(std::string_view name) const;
    /// Whether the connection may serve another request once the body is read.
    [[nodiscard]] bool keeps_connection() const;
    /// What the service's clock shows, where it says so; else `own`. Dates in its other fields are
    /// by that clock.
    [[nodiscard]] std::chrono::system_clock::time_point time(
        std::chrono::system_clock::time_point own) const;
    /// How the body is framed. unavailable: two lengths that differ, an encoding not asked for.
    [[nodiscard]] sdk::Result<BodyDecoder> body_decoder() const;
};

/// `text` is everything before the empty line.
sdk::Result<ResponseHead> parse_response_head(std::string_view text);

/// A date of HTTP ("Sun, 06 Nov 1994 08:49:37 GMT").
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

/// Retry-After: whole or fractional seconds, or a date. Absent where it makes no sense.
std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view text, std::chrono::system_clock::time_point now);

}  // namespace openarchiver::http
