#include "pipeline/message_headers.hpp"

#include <gmime/gmime.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <string_view>

namespace openarchiver::pipeline {

namespace {

// More raw bytes than this can't matter to a decoded value of kMaxHeaderValue bytes, and what
// decoding costs stays bounded whatever a sender puts into a header.
constexpr std::size_t kMaxRawValue = 16U << 10;

void start_gmime() {
    static std::once_flag started;
    std::call_once(started, [] { g_mime_init(); });
}

struct GFree {
    void operator()(char* text) const { g_free(text); }
};

using GText = std::unique_ptr<char, GFree>;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_name(std::string_view name, std::string_view wanted) {
    return std::ranges::equal(name, wanted, {}, lower);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

/// The rest of the first line of `text` without its end; `text` goes on after it.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return line;
}

/// The unfolded, undecoded values of the headers that we want: of each the first one.
struct RawHeaders {
    std::optional<std::string> message_id, subject, from, date;

    std::optional<std::string>* find(std::string_view name) {
        if (same_name(name, "message-id")) {
            return &message_id;
        }
        if (same_name(name, "subject")) {
            return &subject;
        }
        if (same_name(name, "from")) {
            return &from;
        }
        return same_name(name, "date") ? &date : nullptr;
    }

    [[nodiscard]] bool complete() const { return message_id && subject && from && date; }
};

void append_limited(std::string& value, std::string_view line) {
    const auto part = line.substr(0, kMaxRawValue - std::min(kMaxRawValue, value.size()));
    const auto start = value.size();
    value += part;
    // The decoders take texts that end with a NUL.
    std::replace(value.begin() + static_cast<std::ptrdiff_t>(start), value.end(), '\0', ' ');
}

RawHeaders scan(std::string_view text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark)) {
        text.remove_prefix(kByteOrderMark.size());
    }
    RawHeaders headers;
    std::string* open = nullptr;
    while (!text.empty()) {
        const auto line = take_line(text);
        if (line.empty()) {
            break;
        }
        if (is_blank(line.front())) {
            if (open != nullptr) {
                append_limited(*open, line);
            }
            continue;
        }
        // Not before this line: the last header may have gone on in continuation lines.
        if (headers.complete()) {
            break;
        }
        open = nullptr;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            continue;
        }
        auto* wanted = headers.find(trimmed(line.substr(0, colon)));
        if (wanted != nullptr && !*wanted) {
            open = &wanted->emplace();
            append_limited(*open, line.substr(colon + 1));
        }
    }
    return headers;
}

/// Valid UTF-8 without control characters, of bounded length.
std::string cleaned(std::string_view text) {
    text = trimmed(text);
    std::string result;
    result.reserve(std::min(text.size(), kMaxHeaderValue));
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        const auto left = static_cast<gssize>(end - at);
        gunichar character = static_cast<unsigned char>(*at);
        std::size_t length = 1;
        if (character >= 0x80) {
            character = g_utf8_get_char_validated(at, left);
            if (character == static_cast<gunichar>(-1) || character == static_cast<gunichar>(-2)) {
                character = 0xFFFD;
            } else {
                length = static_cast<std::size_t>(g_utf8_next_char(at) - at);
            }
        }
        at += length;
        if (character < 0x20 || (character >= 0x7F && character < 0xA0)) {
            character = ' ';
        }
        std::array<char, 6> encoded{};
        const auto size = static_cast<std::size_t>(g_unichar_to_utf8(character, encoded.data()));
        if (result.size() + size > kMaxHeaderValue) {
            break;
        }
        result.append(encoded.data(), size);
    }
    while (!result.empty() && result.back() == ' ') {
        result.pop_back();
    }
    return result;
}

std::string decoded_text(const std::string& raw) {
    const GText text(g_mime_utils_header_decode_text(nullptr, raw.c_str()));
    return text ? cleaned(text.get()) : std::string();
}

/// Addresses in their usual form; as they stand where they are not addresses.
std::string decoded_addresses(const std::string& raw) {
    InternetAddressList* list = internet_address_list_parse(nullptr, raw.c_str());
    if (list == nullptr) {
        return decoded_text(raw);
    }
    const GText text(internet_address_list_to_string(list, nullptr, FALSE));
    const bool any = internet_address_list_length(list) > 0;
    g_object_unref(list);
    auto result = any && text ? cleaned(text.get()) : std::string();
    return result.empty() ? decoded_text(raw) : result;
}

std::string message_id(const std::string& raw) {
    std::string_view text = raw;
    if (const auto open = text.find('<'); open != std::string_view::npos) {
        if (const auto close = text.find('>', open); close != std::string_view::npos) {
            text = text.substr(open, close - open + 1);
        }
    }
    // A long id may be folded in its middle; blanks are no part of it.
    std::string joined;
    std::ranges::copy_if(text, std::back_inserter(joined), [](char c) { return !is_blank(c); });
    return cleaned(joined);
}

std::optional<sdk::Timestamp> parsed_date(const std::string& raw) {
    GDateTime* date = g_mime_utils_header_decode_date(raw.c_str());
    if (date == nullptr) {
        return std::nullopt;
    }
    const std::int64_t seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    return sdk::Timestamp(std::chrono::seconds(seconds));
}

}  // namespace

MessageHeaders read_headers(std::span<const std::byte> head) {
    start_gmime();
    const auto raw = scan({reinterpret_cast<const char*>(head.data()), head.size()});
    MessageHeaders headers;
    if (raw.message_id) {
        headers.message_id = message_id(*raw.message_id);
    }
    if (raw.subject) {
        headers.subject = decoded_text(*raw.subject);
    }
    if (raw.from) {
        headers.from = decoded_addresses(*raw.from);
    }
    if (raw.date) {
        headers.date = parsed_date(*raw.date);
    }
    return headers;
}

}  // namespace openarchiver::pipeline
