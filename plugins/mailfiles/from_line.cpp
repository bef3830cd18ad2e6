#include "from_line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace openarchiver::mailfiles {

namespace {

constexpr std::string_view kFrom = "From ";

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<unsigned> number_in(std::string_view text) {
    unsigned value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                      : std::nullopt;
}

struct Found {
    std::optional<unsigned> month = {};
    std::optional<unsigned> day = {};
    std::optional<unsigned> year = {};
    std::optional<std::chrono::seconds> time = {};
    std::chrono::minutes zone{0};
};

/// "12:08" or "12:08:34".
std::optional<std::chrono::seconds> time_of_day(std::string_view word) {
    std::array<unsigned, 3> fields{};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const std::size_t colon = word.find(':');
        const auto value = number_in(word.substr(0, colon));
        if (!value || *value >= (i == 0 ? 24U : 61U)) {
            return std::nullopt;
        }
        fields.at(i) = *value;
        if (colon == std::string_view::npos) {
            return i == 0 ? std::nullopt
                          : std::optional(std::chrono::hours(fields[0]) +
                                          std::chrono::minutes(fields[1]) +
                                          std::chrono::seconds(fields[2]));
        }
        word.remove_prefix(colon + 1);
    }
    return std::nullopt;
}

std::optional<std::chrono::minutes> zone_of(std::string_view word) {
    const auto value = word.size() == 5 && (word.front() == '+' || word.front() == '-')
                           ? number_in(word.substr(1))
                           : std::nullopt;
    if (!value) {
        return std::nullopt;
    }
    const auto minutes = std::chrono::hours(*value / 100) + std::chrono::minutes(*value % 100);
    return word.front() == '+' ? minutes : -minutes;
}

void look_at(std::string_view word, Found& found) {
    if (word.ends_with(',')) {
        word.remove_suffix(1);
    }
    if (const auto month = std::ranges::find(kMonths, word); month != kMonths.end()) {
        found.month = static_cast<unsigned>(month - kMonths.begin()) + 1;
    } else if (const auto time = time_of_day(word)) {
        found.time = time;
    } else if (const auto zone = zone_of(word)) {
        found.zone = *zone;
    } else if (const auto value = number_in(word)) {
        constexpr unsigned kFirstYear = 1970;
        constexpr unsigned kLastYear = 2199;
        if (word.size() == 4 && *value >= kFirstYear && *value <= kLastYear) {
            found.year = value;
        } else if (word.size() <= 2 && *value >= 1 && *value <= 31) {
            found.day = value;
        }
    }
}

}  // namespace

std::string_view without_line_end(std::string_view line) noexcept {
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
    }
    return line;
}

bool begins_with_from(std::string_view line) noexcept {
    return line.starts_with(kFrom);
}

bool is_quoted_from(std::string_view line) noexcept {
    const std::size_t text = line.find_first_not_of('>');
    return text != 0 && text != std::string_view::npos && begins_with_from(line.substr(text));
}

std::optional<sdk::Timestamp> date_of_from_line(std::string_view line) {
    if (!begins_with_from(line)) {
        return std::nullopt;
    }
    line = without_line_end(line.substr(kFrom.size()));
    Found found;
    while (!line.empty()) {
        const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
        look_at(line.substr(0, end), found);
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    if (!found.month || !found.day || !found.year || !found.time) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*found.year)),
                                           std::chrono::month(*found.month),
                                           std::chrono::day(*found.day));
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + *found.time - found.zone;
}

}  // namespace openarchiver::mailfiles
