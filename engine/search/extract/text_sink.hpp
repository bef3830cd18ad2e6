#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "search/document.hpp"

/// The extractor's own process: everything here may crash, loop or run out of memory on what
/// strangers sent, and the engine goes on.
namespace openarchiver::search::extract {

/// Where text goes.
class TextSink {
public:
    TextSink() = default;
    TextSink(const TextSink&) = delete;
    TextSink& operator=(const TextSink&) = delete;
    virtual ~TextSink() = default;

    /// UTF-8; whatever else there is in it becomes spaces.
    virtual void text(Field field, std::string_view text) = 0;
    virtual void gap(GapReason reason, std::string_view name) = 0;
    /// True once the field is full: more would not be taken.
    [[nodiscard]] virtual bool full(Field field) const = 0;
};

/// Text of bytes in a charset; an unknown or absent one: UTF-8 where it is that, else Windows-1252.
[[nodiscard]] std::string to_utf8(std::string_view bytes, std::string_view charset);

/// What a browser would show of HTML, blocks in lines; no scripts, no styles. `charset` as for
/// to_utf8(); empty: what the document says.
[[nodiscard]] std::string html_text(std::string_view html, std::string_view charset);

/// Whether the engine reads documents of that type or name.
[[nodiscard]] bool is_document(std::string_view media_type, std::string_view name);

/// The text of such a document into Field::attachment, or a gap with its name.
void document_text(std::string_view bytes, std::string_view media_type, std::string_view name,
                   std::string_view charset, TextSink& sink);

}  // namespace openarchiver::search::extract
