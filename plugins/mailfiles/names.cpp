#include "names.hpp"

#include <array>
#include <cstdint>

namespace openarchiver::mailfiles {

namespace {

enum class Percent : std::uint8_t { escaped, kept };

/// The length of the UTF-8 character at the front of `text`, 0 where there is none.
std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    std::size_t length = 0;
    std::uint32_t point = 0;
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead < 0xE0) {
        length = 2;
        point = lead & 0x1FU;
    } else if (lead >= 0xE0 && lead < 0xF0) {
        length = 3;
        point = lead & 0x0FU;
    } else if (lead >= 0xF0 && lead < 0xF5) {
        length = 4;
        point = lead & 0x07U;
    } else {
        return 0;
    }
    if (text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return 0;
        }
        point = (point << 6U) | (byte(i) & 0x3FU);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point < 0xE000;
    return overlong || surrogate || point > 0x10FFFF ? 0 : length;
}

std::string escape(std::string_view bytes, Percent percent) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto lead = static_cast<unsigned char>(bytes.front());
        const std::size_t length = utf8_length(bytes);
        const bool plain =
            length > 0 && lead >= 0x20 && lead != 0x7F && (lead != '%' || percent == Percent::kept);
        if (plain) {
            text += bytes.substr(0, length);
            bytes.remove_prefix(length);
        } else {
            constexpr std::string_view kDigits = "0123456789ABCDEF";
            text += '%';
            text += kDigits[lead >> 4U];
            text += kDigits[lead & 0xFU];
            bytes.remove_prefix(1);
        }
    }
    return text;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void append_utf8(std::string& text, std::uint32_t point) {
    const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (point < 0x80) {
        add(point);
    } else if (point < 0x800) {
        add(0xC0U | (point >> 6U));
        add(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
        add(0xE0U | (point >> 12U));
        add(0x80U | ((point >> 6U) & 0x3FU));
        add(0x80U | (point & 0x3FU));
    } else {
        add(0xF0U | (point >> 18U));
        add(0x80U | ((point >> 12U) & 0x3FU));
        add(0x80U | ((point >> 6U) & 0x3FU));
        add(0x80U | (point & 0x3FU));
    }
}

int modified_base64_value(char c) noexcept {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == ',' ? 63 : -1;
}

/// The UTF-16 between `&` and `-`, as UTF-8.
std::optional<std::string> decode_shifted(std::string_view encoded) {
    std::string text;
    std::uint32_t bits = 0;
    int bit_count = 0;
    std::uint32_t high = 0;
    for (const char c : encoded) {
        const int value = modified_base64_value(c);
        if (value < 0) {
            return std::nullopt;
        }
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        bit_count += 6;
        if (bit_count < 16) {
            continue;
        }
        bit_count -= 16;
        const std::uint32_t unit = (bits >> bit_count) & 0xFFFFU;
        bits &= (1U << bit_count) - 1U;
        if (unit >= 0xD800 && unit < 0xDC00 && high == 0) {
            high = unit;
        } else if (unit >= 0xDC00 && unit < 0xE000 && high != 0) {
            append_utf8(text, 0x10000U + ((high - 0xD800U) << 10U) + (unit - 0xDC00U));
            high = 0;
        } else if (high != 0 || (unit >= 0xD800 && unit < 0xE000)) {
            return std::nullopt;
        } else {
            append_utf8(text, unit);
        }
    }
    return high == 0 && bits == 0 ? std::optional(text) : std::nullopt;
}

std::optional<std::string> decode_modified_utf7(std::string_view name) {
    std::string text;
    while (!name.empty()) {
        const char c = name.front();
        if (c < 0x20 || static_cast<unsigned char>(c) >= 0x7F) {
            return std::nullopt;
        }
        if (c != '&') {
            text += c;
            name.remove_prefix(1);
            continue;
        }
        const std::size_t end = name.find('-');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        if (end == 1) {
            text += '&';
        } else {
            const std::optional<std::string> part = decode_shifted(name.substr(1, end - 1));
            if (!part) {
                return std::nullopt;
            }
            text += *part;
        }
        name.remove_prefix(end + 1);
    }
    return text;
}

}  // namespace

std::string escape_id(std::string_view bytes) {
    return escape(bytes, Percent::escaped);
}

std::optional<std::string> unescape_id(std::string_view id) {
    std::string bytes;
    bytes.reserve(id.size());
    for (std::size_t i = 0; i < id.size(); ++i) {
        if (id[i] != '%') {
            bytes += id[i];
            continue;
        }
        const int high = i + 2 < id.size() ? hex_value(id[i + 1]) : -1;
        const int low = i + 2 < id.size() ? hex_value(id[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return bytes;
}

std::string display_text(std::string_view bytes) {
    return escape(bytes, Percent::kept);
}

std::string maildir_level_name(std::string_view level) {
    return display_text(decode_modified_utf7(level).value_or(std::string(level)));
}

std::string_view maildir_unique_name(std::string_view file_name) noexcept {
    return file_name.substr(0, file_name.find(':'));
}

std::string join_path(std::string_view folder, std::string_view name) {
    return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

bool is_plain_relative_path(std::string_view path) noexcept {
    if (path.find('\0') != std::string_view::npos) {
        return false;
    }
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

}  // namespace openarchiver::mailfiles
