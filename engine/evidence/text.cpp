#include "evidence/text.hpp"

#include <openssl/evp.h>

#include <charconv>
#include <cstdio>

namespace openarchiver::evidence {

namespace {

bool plain(char c) {
    return c > ' ' && c < 0x7F && c != '%';
}

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
    std::vector<std::byte> bytes(text.size() / 4 * 3);
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0 || text.size() % 4 != 0) {
        return std::nullopt;
    }
    bytes.resize(static_cast<std::size_t>(size));
    // EVP_DecodeBlock counts the padding as zero bytes.
    for (std::size_t i = 0; i < 2 && text.ends_with('='); ++i) {
        text.remove_suffix(1);
        bytes.pop_back();
    }
    return bytes;
}

std::string time_text(sdk::Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    char text[40];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

std::optional<sdk::Timestamp> time_from(std::string_view text) {
    using std::chrono::hours;
    using std::chrono::milliseconds;
    using std::chrono::minutes;
    using std::chrono::seconds;
    constexpr std::string_view kForm = "0000-00-00T00:00:00.000Z";
    if (text.size() != kForm.size()) {
        return std::nullopt;
    }
    const auto field = [&](std::size_t at, std::size_t length) {
        int value = 0;
        std::from_chars(text.data() + at, text.data() + at + length, value);
        return value;
    };
    const std::chrono::year_month_day date(std::chrono::year(field(0, 4)),
                                           std::chrono::month(static_cast<unsigned>(field(5, 2))),
                                           std::chrono::day(static_cast<unsigned>(field(8, 2))));
    if (!date.ok()) {
        return std::nullopt;
    }
    const sdk::Timestamp time = std::chrono::sys_days(date) + hours(field(11, 2)) +
                                minutes(field(14, 2)) + seconds(field(17, 2)) +
                                milliseconds(field(20, 3));
    return time_text(time) == text ? std::optional(time) : std::nullopt;
}

std::optional<std::uint64_t> number_from(std::string_view text) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
        std::to_string(value) != text) {
        return std::nullopt;
    }
    return value;
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        if (plain(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return encoded;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        unsigned value = 0;
        const char* const digits = text.data() + i + 1;
        if (text.size() - i < 3 ||
            std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) {
            return std::nullopt;
        }
        decoded += static_cast<char>(value);
        i += 2;
    }
    return percent_encoded(decoded) == text ? std::optional(decoded) : std::nullopt;
}

std::optional<std::string_view> take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return line;
}

std::optional<std::string_view> take_value(std::string_view& rest, std::string_view name) {
    auto after = rest;
    auto line = take_line(after);
    if (!line || !line->starts_with(name) || line->substr(name.size(), 1) != " ") {
        return std::nullopt;
    }
    line->remove_prefix(name.size() + 1);
    rest = after;
    return line;
}

}  // namespace openarchiver::evidence
