#pragma once

#include <string_view>

namespace openarchiver::microsoft365 {

/// Whether `text` matches `pattern`, in which `*` stands for any characters. Case of ASCII letters
/// does not matter.
bool matches_pattern(std::string_view pattern, std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace openarchiver::microsoft365
