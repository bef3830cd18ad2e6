#pragma once

#include <span>
#include <string>
#include <string_view>

namespace openarchiver::profile {

/// The candidate that `word` was probably meant to be: the one with the fewest edits, if these are
/// few for its length. Empty where there is none.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string> candidates);

}  // namespace openarchiver::profile
