#include <glib.h>
#include <gmime/gmime.h>

#include <array>
#include <cerrno>

#include "search/extract/text_sink.hpp"

namespace openarchiver::search::extract {

namespace {

/// What can't be converted is left out.
std::string converted(std::string_view bytes, iconv_t converter) {
    std::string text;
    std::array<char, 16384> buffer;  // NOLINT: written before it is read
    char* in = const_cast<char*>(bytes.data());
    std::size_t left = bytes.size();
    while (left > 0) {
        char* out = buffer.data();
        std::size_t room = buffer.size();
        const auto result = g_mime_iconv(converter, &in, &left, &out, &room);
        text.append(buffer.data(), buffer.size() - room);
        if (result != static_cast<std::size_t>(-1) || errno == E2BIG) {
            continue;
        }
        if (left > 0) {
            ++in;
            --left;
            text += ' ';
        }
    }
    return text;
}

/// A NUL is no text, but it is no reason to take it for another charset.
bool is_utf8(std::string_view bytes) {
    const char* at = bytes.data();
    const char* const end = bytes.data() + bytes.size();
    while (g_utf8_validate(at, end - at, &at) == FALSE) {
        if (*at != '\0') {
            return false;
        }
        ++at;
    }
    return true;
}

}  // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset) {
    if (bytes.starts_with("\xEF\xBB\xBF")) {
        return std::string(bytes.substr(3));
    }
    if (charset.empty() && (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"))) {
        charset = "UTF-16";
    }
    const std::string name(charset);
    const bool plain = name.empty() || g_ascii_strcasecmp(name.c_str(), "utf-8") == 0 ||
                       g_ascii_strcasecmp(name.c_str(), "us-ascii") == 0 ||
                       g_ascii_strcasecmp(name.c_str(), "ascii") == 0;
    if (plain && is_utf8(bytes)) {
        return std::string(bytes);
    }
    const auto none = reinterpret_cast<iconv_t>(-1);
    iconv_t converter = plain ? none : g_mime_iconv_open("UTF-8", name.c_str());
    if (converter == none) {
        if (is_utf8(bytes)) {
            return std::string(bytes);
        }
        converter = g_mime_iconv_open("UTF-8", "windows-1252");
    }
    if (converter == none) {
        return std::string(bytes);
    }
    std::string text = converted(bytes, converter);
    g_mime_iconv_close(converter);
    return text;
}

}  // namespace openarchiver::search::extract
