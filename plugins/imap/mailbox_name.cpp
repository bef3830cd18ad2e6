#include "mailbox_name.hpp"

#include <cstdint>
#include <optional>

namespace openarchiver::imap {

namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
constexpr std::string_view kHex = "0123456789ABCDEF";

void append_utf8(std::string& text, std::uint32_t code) {
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += static_cast<char>(0xC0 | (code >> 6));
        text += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        text += static_cast<char>(0xE0 | (code >> 12));
        text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        text += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        text += static_cast<char>(0xF0 | (code >> 18));
        text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
        text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        text += static_cast<char>(0x80 | (code & 0x3F));
    }
}

/// Between '&' and '-': UTF-16 in base64 with ',' for '/'.
bool append_shifted(std::string& text, std::string_view shifted) {
    std::uint32_t bits = 0;
    int count = 0;
    std::uint32_t high = 0;
    for (const char c : shifted) {
        const std::size_t value = kBase64.find(c);
        if (value == std::string_view::npos) {
            return false;
        }
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 16) {
            continue;
        }
        count -= 16;
        const std::uint32_t unit = (bits >> count) & 0xFFFF;
        bits &= (1U << count) - 1;
        const bool is_low = unit >= 0xDC00 && unit < 0xE000;
        if (is_low != (high != 0)) {
            return false;
        }
        if (is_low) {
            append_utf8(text, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
            high = 0;
        } else if (unit >= 0xD800 && unit < 0xDC00) {
            high = unit;
        } else {
            append_utf8(text, unit);
        }
    }
    return high == 0 && count < 6 && bits == 0;
}

std::optional<std::string> from_utf7(std::string_view name) {
    std::string text;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '&') {
            text += name[i];
            continue;
        }
        const std::size_t end = name.find('-', i);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        if (end == i + 1) {
            text += '&';
        } else if (!append_shifted(text, name.substr(i + 1, end - i - 1))) {
            return std::nullopt;
        }
        i = end;
    }
    return text;
}

/// The length of the UTF-8 character at the front (RFC 3629); 0: there is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&](std::size_t i, unsigned low, unsigned high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return follows(1, 0x80, 0xBF) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const bool second = follows(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
        return second && follows(2, 0x80, 0xBF) ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool second = follows(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
        return second && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
    }
    return 0;
}

std::string escape(std::string_view text, bool reversible) {
    std::string escaped;
    while (!text.empty()) {
        const auto first = static_cast<unsigned char>(text.front());
        const std::size_t length = utf8_length(text);
        if (length == 0 || first < 0x20 || first == 0x7F || (reversible && first == '%')) {
            escaped += '%';
            escaped += kHex[first >> 4];
            escaped += kHex[first & 0xF];
            text.remove_prefix(1);
        } else {
            escaped += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return escaped;
}

}  // namespace

std::string display_name(std::string_view mailbox) {
    return escape(from_utf7(mailbox).value_or(std::string(mailbox)), false);
}

std::string escape_id(std::string_view mailbox) {
    return escape(mailbox, true);
}

std::string unescape_id(std::string_view id) {
    std::string name;
    for (std::size_t i = 0; i < id.size(); ++i) {
        const std::size_t high = i + 2 < id.size() ? kHex.find(id[i + 1]) : std::string_view::npos;
        const std::size_t low = i + 2 < id.size() ? kHex.find(id[i + 2]) : std::string_view::npos;
        if (id[i] == '%' && high != std::string_view::npos && low != std::string_view::npos) {
            name += static_cast<char>((high << 4) | low);
            i += 2;
        } else {
            name += id[i];
        }
    }
    return name;
}

}  // namespace openarchiver::imap
