#include "export/utf8.hpp"

#include <algorithm>
#include <cstdint>

namespace openarchiver::exporter {

std::size_t utf8_length(std::string_view text) {
    if (text.empty()) {
        return 0;
    }
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
        return 1;
    }
    std::size_t length = 0;
    std::uint32_t smallest = 0;
    std::uint32_t character = 0;
    if ((first & 0xE0U) == 0xC0) {
        length = 2;
        smallest = 0x80;
        character = first & 0x1FU;
    } else if ((first & 0xF0U) == 0xE0) {
        length = 3;
        smallest = 0x800;
        character = first & 0x0FU;
    } else if ((first & 0xF8U) == 0xF0) {
        length = 4;
        smallest = 0x10000;
        character = first & 0x07U;
    }
    if (length == 0 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xC0U) != 0x80) {
            return 0;
        }
        character = (character << 6U) | (next & 0x3FU);
    }
    const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    return character < smallest || character > 0x10FFFF || surrogate ? 0 : length;
}

std::string valid_utf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const auto ascii = std::ranges::find_if(text, [](char c) { return (c & 0x80) != 0; });
        result.append(text.begin(), ascii);
        text.remove_prefix(static_cast<std::size_t>(ascii - text.begin()));
        const std::size_t length = utf8_length(text);
        if (text.empty()) {
            break;
        }
        result += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

}  // namespace openarchiver::exporter
