#pragma once

#include <gmime/gmime.h>

#include <memory>
#include <string>
#include <string_view>

/// Messages as GMime has them.
namespace openarchiver::search::extract {

inline constexpr int kMaxDepth = 30;  // of parts within parts, and messages within messages
inline constexpr int kMaxParts = 1000;

struct Unref {
    template <typename T>
    void operator()(T* object) const {
        g_object_unref(object);
    }
};

template <typename T>
using Object = std::unique_ptr<T, Unref>;

struct GFree {
    void operator()(char* text) const { g_free(text); }
};

using GText = std::unique_ptr<char, GFree>;

inline std::string_view view(const char* text) {
    return text == nullptr ? std::string_view() : std::string_view(text);
}

[[nodiscard]] std::string lower(std::string_view text);

/// Null: it is none to the parser.
[[nodiscard]] Object<GMimeMessage> parsed(std::string bytes);

[[nodiscard]] bool is_type(GMimeObject* object, const char* type, const char* subtype);

/// A part that is shown as the message's text, and no attachment.
[[nodiscard]] bool is_body(GMimePart& part);

}  // namespace openarchiver::search::extract
