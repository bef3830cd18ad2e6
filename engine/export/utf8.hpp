#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace openarchiver::exporter {

/// The length of the UTF-8 character that `text` begins with; 0 where it begins with none.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

/// The text with every byte that is not part of a character replaced by U+FFFD.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace openarchiver::exporter
