#pragma once

#include <string>
#include <string_view>

namespace openarchiver::microsoft365 {

/// The first 16 hex digits of SHA-256: enough to tell apart, not meant to resist an attacker.
std::string short_digest(std::string_view text);

}  // namespace openarchiver::microsoft365
