#include "key.hpp"

#include <algorithm>
#include <climits>
#include <string>

namespace openarchiver::filesystem {

namespace {

constexpr std::size_t kMaxKeyLength = 512;

bool is_key_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

sdk::Error refusal(std::string_view key, std::string_view why) {
    // The key is the caller's: cut it, so that a wild one does not flood the log.
    std::string message = "the key \"" + std::string(key.substr(0, 80)) + "\" is refused: ";
    message += why;
    return sdk::Error{.code = sdk::Errc::invalid_argument, .message = std::move(message)};
}

}  // namespace

bool is_key_segment(std::string_view segment) noexcept {
    return !segment.empty() && segment != "." && segment != ".." &&
           std::ranges::all_of(segment, is_key_character);
}

sdk::Status check_key(std::string_view key) {
    if (key.empty() || key.size() > kMaxKeyLength) {
        return refusal(key, "keys have 1 to 512 characters");
    }
    std::string_view rest = key;
    while (true) {
        const std::size_t slash = rest.find('/');
        const std::string_view segment = rest.substr(0, slash);
        if (!is_key_segment(segment)) {
            return refusal(key,
                           "keys are segments of [a-z0-9._-] joined by single \"/\", none of them "
                           "\".\" or \"..\"");
        }
        if (segment.size() > NAME_MAX) {
            sdk::Error error = refusal(key, "a file name has at most 255 characters");
            error.code = sdk::Errc::unsupported;
            return error;
        }
        if (slash == std::string_view::npos) {
            return {};
        }
        rest.remove_prefix(slash + 1);
    }
}

std::string_view folder_of(std::string_view key) noexcept {
    const std::size_t slash = key.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

}  // namespace openarchiver::filesystem
