#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connection.hpp"

namespace openarchiver::imap {

/// Ids of items tell how they were made: "E" and EMAILID, "G" and Gmail's, "D" and Dovecot's id
/// keep over moves; "U", UIDVALIDITY, UID and the folder's id do not.
char scheme_of(const StableNames& names);
std::string stable_item_id(char scheme, std::string_view id);
std::string uid_item_id(std::uint32_t uid_validity, UidSet::Uid uid, std::string_view folder_id);

struct UidItem {
    std::uint32_t uid_validity = 0;
    UidSet::Uid uid = 0;
    std::string folder_id;
};

std::optional<UidItem> parse_uid_item_id(std::string_view item_id);

}  // namespace openarchiver::imap
