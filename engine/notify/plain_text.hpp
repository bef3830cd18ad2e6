#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace openarchiver::notify {

/// A text of another's as one line for people: at most `limit` bytes of valid UTF-8, without
/// control characters, and without addresses.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t limit = 500);

/// The same for names, which may have an '@'.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t limit = 200);

/// "120 GiB": rounded down.
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace openarchiver::notify
