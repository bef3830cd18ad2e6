#include "export/names.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "archive/digest.hpp"
#include "export/utf8.hpp"

namespace openarchiver::exporter {

namespace {

// In escaped names '%' is followed by two upper-case hexadecimal digits. These two are not, so they
// can't be the escaped form of anything else.
constexpr std::string_view kEmptyName = "%empty";
constexpr std::string_view kShortened = "%~";

constexpr std::size_t kHashDigits = 32;

void append_escaped(std::string& target, char c) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    target += '%';
    target += kDigits[byte >> 4U];
    target += kDigits[byte & 0x0FU];
}

bool is_forbidden(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F ||
           std::string_view("%/\\:*?\"<>|").find(c) != std::string_view::npos;
}

/// Names that Windows keeps for devices, with any extension.
bool is_device(std::string_view name) {
    const auto stem = name.substr(0, name.find('.'));
    std::string upper(stem.substr(0, stem.find_last_not_of(' ') + 1));
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
    });
    if (upper == "CON" || upper == "PRN" || upper == "AUX" || upper == "NUL") {
        return true;
    }
    return upper.size() == 4 && (upper.starts_with("COM") || upper.starts_with("LPT")) &&
           upper[3] >= '0' && upper[3] <= '9';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// Without regard to case. `suffix` is lower-case and begins with a dot; nothing ends with an
/// empty one.
bool ends_with(std::string_view name, std::string_view suffix) {
    return !suffix.empty() && name.size() >= suffix.size() &&
           std::ranges::equal(name.substr(name.size() - suffix.size()), suffix, {}, lower);
}

std::string hash_of(std::string_view text) {
    return archive::to_hex(archive::sha256(text)).substr(0, kHashDigits);
}

}  // namespace

std::string shorten(std::string escaped) {
    if (escaped.size() <= kMaxName) {
        return escaped;
    }
    const std::string hash = hash_of(escaped);
    std::size_t keep = kMaxName - kShortened.size() - hash.size();
    // Neither in the middle of a character nor of an escape.
    while (keep > 0 && (static_cast<unsigned char>(escaped[keep]) & 0xC0U) == 0x80) {
        --keep;
    }
    for (const std::size_t back : {1U, 2U}) {
        if (keep >= back && escaped[keep - back] == '%') {
            keep -= back;
            break;
        }
    }
    escaped.resize(keep);
    escaped += kShortened;
    escaped += hash;
    return escaped;
}

std::string escape_name(std::string_view name, std::string_view also_escaped) {
    if (name.empty()) {
        return std::string(kEmptyName);
    }
    const bool device = is_device(name);
    const auto trailing = name.find_last_not_of(". ") + 1;  // 0 where there is nothing else
    std::string escaped;
    for (std::size_t at = 0; at < name.size();) {
        const std::size_t length = utf8_length(name.substr(at));
        const char c = name[at];
        const bool at_edge = (at == 0 && (c == '.' || c == ' ' || device)) || at >= trailing;
        if (length == 0 || at_edge ||
            (length == 1 && (is_forbidden(c) || also_escaped.find(c) != std::string_view::npos))) {
            append_escaped(escaped, c);
            ++at;
        } else {
            escaped += name.substr(at, length);
            at += length;
        }
    }
    return shorten(std::move(escaped));
}

std::string escape_path(std::span<const std::string> names, std::string_view reserved_suffix) {
    std::string path;
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::string name = escape_name(names[i]);
        if (ends_with(name, reserved_suffix)) {
            name.replace(name.size() - reserved_suffix.size(), 1, "%2E");
        }
        // Room for the name that takes the place of everything that does not fit.
        const std::size_t room = kMaxPath - kShortened.size() - kHashDigits - 1;
        if (path.size() + 1 + name.size() > room) {
            std::string rest;
            for (const auto& left : names.subspan(i)) {
                rest += escape_name(left) + "/";
            }
            return path + (path.empty() ? "" : "/") + std::string(kShortened) + hash_of(rest);
        }
        path += path.empty() ? name : "/" + name;
    }
    return path;
}

std::string compact_time(sdk::Timestamp time) {
    using namespace std::chrono;
    const auto seconds = floor<std::chrono::seconds>(time);
    const auto day = floor<days>(seconds);
    const year_month_day date(day);
    const hh_mm_ss clock(seconds - day);
    std::array<char, 64> text{};
    const int size = std::snprintf(
        text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()));
    return {text.data(), static_cast<std::size_t>(size)};
}

bool is_safe_relative(std::string_view path) {
    if (path.empty() || path.find('\0') != std::string_view::npos) {
        return false;
    }
    while (true) {
        const auto slash = path.find('/');
        const auto name = path.substr(0, slash);
        if (name.empty() || name == "." || name == "..") {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

}  // namespace openarchiver::exporter
