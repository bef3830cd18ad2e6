#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profile/profile.hpp"

namespace openarchiver::profile {

/// Parses strictly: a syntax error is reported with line and column, and a key that occurs twice in
/// an object with its pointer, since otherwise one of its values would silently be lost.
[[nodiscard]] std::optional<boost::json::value> parse_json(std::string_view text,
                                                           std::vector<Problem>& problems);

/// `pointer` extended by a key or an index.
[[nodiscard]] std::string child_pointer(std::string_view pointer, std::string_view key);
[[nodiscard]] std::string child_pointer(std::string_view pointer, std::size_t index);

}  // namespace openarchiver::profile
