#include "http/response_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/failure.hpp"

namespace openarchiver::http {

namespace {

using sdk::Errc;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

/// Whether a comma-separated field value has this element.
bool has_element(std::string_view list, std::string_view element) {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (equal_ignoring_case(trim(list.substr(0, comma)), element)) {
            return true;
        }
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

template <typename Number>
bool parse_whole(std::string_view text, Number& value) {
    if (text.empty() || text.front() == '-') {
        return false;
    }
    const char* last = text.data() + text.size();
    const auto [end, status] = std::from_chars(text.data(), last, value);
    return status == std::errc{} && end == last;
}

}  // namespace

std::string_view ResponseHead::field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (equal_ignoring_case(key, name)) {
            return value;
        }
    }
    return {};
}

bool ResponseHead::keeps_connection() const {
    const std::string_view connection = field("Connection");
    if (has_element(connection, "close")) {
        return false;
    }
    // A message with both framings is how requests are smuggled: don't use the connection again.
    if (!field("Transfer-Encoding").empty() && !field("Content-Length").empty()) {
        return false;
    }
    return http_1_1 || has_element(connection, "keep-alive");
}

sdk::Result<BodyDecoder> ResponseHead::body_decoder() const {
    if (status == 204 || status == 304) {
        return BodyDecoder::with_length(0);
    }
    const std::string_view content_encoding = field("Content-Encoding");
    if (!content_encoding.empty() && !equal_ignoring_case(content_encoding, "identity")) {
        return failure(
            Errc::unavailable,
            "the response is compressed though that was not asked for: something between "
            "this machine and the service changes responses");
    }
    bool chunked = false;
    std::optional<std::uint64_t> length;
    for (const auto& [key, value] : fields) {
        if (equal_ignoring_case(key, "Transfer-Encoding")) {
            if (chunked || !equal_ignoring_case(trim(value), "chunked")) {
                return failure(Errc::unavailable, "the response has an unknown transfer encoding");
            }
            chunked = true;
        } else if (equal_ignoring_case(key, "Content-Length")) {
            std::uint64_t one = 0;
            if (!parse_whole(trim(value), one) || (length && *length != one)) {
                return failure(Errc::unavailable, "the response has a contradictory length");
            }
            length = one;
        }
    }
    if (chunked) {
        return BodyDecoder::chunked();
    }
    return length ? BodyDecoder::with_length(*length) : BodyDecoder::until_close();
}

sdk::Result<ResponseHead> parse_response_head(std::string_view text) {
    const auto malformed = [] {
        return failure(Errc::unavailable, "the answer is not an HTTP/1.1 response");
    };
    const auto next_line = [&text] {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return line;
    };

    ResponseHead head;
    const std::string_view status_line = next_line();
    if (!status_line.starts_with("HTTP/1.") || status_line.size() < 12 || status_line[8] != ' ' ||
        !parse_whole(status_line.substr(9, 3), head.status) || head.status < 100 ||
        (status_line.size() > 12 && status_line[12] != ' ')) {
        return malformed();
    }
    head.http_1_1 = status_line[7] != '0';
    while (!text.empty()) {
        const std::string_view line = next_line();
        if (line.empty()) {
            continue;
        }
        if (line.front() == ' ' || line.front() == '\t') {  // a folded line of the field before
            if (head.fields.empty()) {
                return malformed();
            }
            head.fields.back().second += ' ';
            head.fields.back().second += trim(line);
            continue;
        }
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) {
            return malformed();
        }
        head.fields.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
    }
    return head;
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
    static constexpr std::array<std::string_view, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    text = trim(text);
    if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
        text[19] != ':' || text[22] != ':') {
        return std::nullopt;
    }
    unsigned day = 0;
    int year = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    const auto month = std::ranges::find(kMonths, text.substr(8, 3));
    if (month == kMonths.end() || !parse_whole(text.substr(5, 2), day) ||
        !parse_whole(text.substr(12, 4), year) || !parse_whole(text.substr(17, 2), hour) ||
        !parse_whole(text.substr(20, 2), minute) || !parse_whole(text.substr(23, 2), second)) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
        std::chrono::day(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

std::chrono::system_clock::time_point ResponseHead::time(
    std::chrono::system_clock::time_point own) const {
    const auto date = parse_http_date(field("Date"));
    return date ? *date : own;
}

std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view text, std::chrono::system_clock::time_point now) {
    using std::chrono::milliseconds;
    // A day bounds what a service can ask for; beyond it the value is a mistake.
    constexpr milliseconds kLongest = std::chrono::hours(24);
    text = trim(text);
    double seconds = 0;
    const char* last = text.data() + text.size();
    const auto [end, status] =
        std::from_chars(text.data(), last, seconds, std::chars_format::fixed);
    if (status == std::errc{} && end == last && !text.empty()) {
        if (!(seconds >= 0)) {
            return std::nullopt;
        }
        if (seconds >= 86400.0) {
            return kLongest;
        }
        return milliseconds(static_cast<std::int64_t>(seconds * 1000.0));
    }
    if (const auto date = parse_http_date(text)) {
        const auto wait = std::chrono::ceil<milliseconds>(*date - now);
        return std::clamp(wait, milliseconds(0), kLongest);
    }
    return std::nullopt;
}

}  // namespace openarchiver::http
