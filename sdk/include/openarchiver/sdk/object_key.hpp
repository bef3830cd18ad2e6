#pragma once

#include <algorithm>
#include <cstddef>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

/// The rule for the keys of objects (storage.hpp), for storage backends to check.
namespace openarchiver::sdk {

inline constexpr std::size_t kMaxKeyLength = 512;

/// One name between two `/` of a key: not empty, not `.` or `..`, of the allowed characters only.
[[nodiscard]] constexpr bool is_key_segment(std::string_view segment) noexcept {
    return !segment.empty() && segment != "." && segment != ".." &&
           std::all_of(segment.begin(), segment.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
                      c == '-';
           });
}

[[nodiscard]] constexpr bool is_key(std::string_view key) noexcept {
    if (key.size() > kMaxKeyLength) {
        return false;
    }
    while (true) {
        const std::size_t slash = key.find('/');
        if (!is_key_segment(key.substr(0, slash))) {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        key.remove_prefix(slash + 1);
    }
}

/// invalid_argument: the key breaks the contract.
inline Status check_key(std::string_view key) {
    if (is_key(key)) {
        return {};
    }
    // The key is the caller's: cut it, so that a wild one does not flood the log.
    return Error{.code = Errc::invalid_argument,
                 .message = "the key \"" + std::string(key.substr(0, 80)) +
                            "\" is refused: keys have 1 to 512 characters, segments of "
                            "[a-z0-9._-] joined by single \"/\", none of them \".\" or \"..\""};
}

}  // namespace openarchiver::sdk
