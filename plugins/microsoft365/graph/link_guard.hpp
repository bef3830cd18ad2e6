#pragma once

#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <unordered_set>

#include "failure.hpp"
#include "http/origin.hpp"

namespace openarchiver::microsoft365 {

/// The longest link that is kept or followed; cursors hold at most 64 KiB.
inline constexpr std::size_t kMaxLinkSize = 48 * 1024;

/// The path and query of a nextLink or deltaLink, byte for byte. The token goes to one origin only:
/// a link to another scheme, host, port or version is refused (internal).
sdk::Result<std::string> follow_link(const Origin& graph, std::string_view link);

/// Ends walks that would never end: a link that came before, or more pages than any listing has.
class WalkGuard {
public:
    /// Called with each link before it is followed. internal: the walk goes in circles.
    sdk::Status enter(std::string_view link);

private:
    std::unordered_set<std::size_t> seen_;
};

}  // namespace openarchiver::microsoft365
