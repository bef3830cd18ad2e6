#include "search/extract/gmime_objects.hpp"

#include <algorithm>

namespace openarchiver::search::extract {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return static_cast<char>(g_ascii_tolower(c)); });
    return result;
}

Object<GMimeMessage> parsed(std::string bytes) {
    // Some programs put blank lines before the headers, where the parser gives up.
    bytes.erase(0, bytes.find_first_not_of(" \t\r\n"));
    // The parser goes back to the bytes of each part: the stream keeps them.
    GByteArray* array = g_byte_array_sized_new(static_cast<guint>(bytes.size()));
    g_byte_array_append(array, reinterpret_cast<const guint8*>(bytes.data()),
                        static_cast<guint>(bytes.size()));
    bytes = {};
    const Object<GMimeStream> stream(g_mime_stream_mem_new_with_byte_array(array));
    const Object<GMimeParser> parser(g_mime_parser_new_with_stream(stream.get()));
    g_mime_parser_set_persist_stream(parser.get(), TRUE);
    return Object<GMimeMessage>(g_mime_parser_construct_message(parser.get(), nullptr));
}

bool is_type(GMimeObject* object, const char* type, const char* subtype) {
    GMimeContentType* const content = g_mime_object_get_content_type(object);
    return content != nullptr && g_mime_content_type_is_type(content, type, subtype) != FALSE;
}

bool is_body(GMimePart& part) {
    auto* const object = GMIME_OBJECT(&part);
    const bool text = is_type(object, "text", "plain") || is_type(object, "text", "html");
    return text && lower(view(g_mime_object_get_disposition(object))) != "attachment" &&
           view(g_mime_part_get_filename(&part)).empty();
}

}  // namespace openarchiver::search::extract
