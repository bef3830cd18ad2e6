#include "search/document.hpp"

#include <algorithm>

namespace openarchiver::search {

namespace {

// In the order of GapReason. Documented in docs/search.md.
constexpr std::array<std::string_view, 5> kReasons{"encrypted", "no_text", "extraction_failed",
                                                   "unsupported", "too_large"};

}  // namespace

std::string_view to_string(GapReason reason) noexcept {
    return kReasons.at(static_cast<std::size_t>(reason));
}

std::optional<GapReason> gap_reason(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(kReasons, name);
    if (found == kReasons.end()) {
        return std::nullopt;
    }
    return static_cast<GapReason>(found - kReasons.begin());
}

}  // namespace openarchiver::search
