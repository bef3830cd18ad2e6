#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace openarchiver::http {

/// RFC 4648 section 4, padded: for HTTP's Basic authentication.
std::string encode_base64(std::string_view bytes);

/// RFC 4648 section 5, without padding: for tokens.
std::string encode_base64url(std::string_view bytes);

/// Either alphabet, padded or not.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace openarchiver::http
