#pragma once

#include <map>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>

namespace openarchiver::microsoft365 {

/// What the next discovery starts from.
struct DiscoveryCursor {
    std::string delta_link;
    /// When all users were listed.
    sdk::Timestamp listed_at;
    /// Which configuration the accounts were judged under.
    std::string selection;
    /// Digest of the members by group id, of the groups that could be read.
    std::map<std::string, std::string, std::less<>> groups;
};

sdk::Cursor encode_discovery_cursor(const DiscoveryCursor& cursor);
/// Absent: not a cursor of this version.
std::optional<DiscoveryCursor> decode_discovery_cursor(const sdk::Cursor& cursor);

}  // namespace openarchiver::microsoft365
