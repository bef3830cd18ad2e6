#pragma once

#include <map>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <string>
#include <unordered_set>

#include "mail/folder_rules.hpp"

namespace openarchiver::microsoft365 {

/// What the next listing of a mailbox's folders starts from: the service's link, and enough of the
/// tree to judge a new folder without walking it again.
struct FolderCursor {
    std::string delta_link;
    std::string root_id;
    std::map<std::string, std::string, std::less<>> well_known;
    /// Digests of the ids of folders that are left out; absent when there are too many to keep.
    std::optional<std::unordered_set<std::string>> left_out;
    /// Which configuration the judgements were made under.
    std::string selection;
};

/// Names the configuration that judgements depend on.
std::string selection_digest(const SelectionSettings& selection);

sdk::Cursor encode_folder_cursor(const FolderCursor& cursor);
/// Absent: not a cursor of this version.
std::optional<FolderCursor> decode_folder_cursor(const sdk::Cursor& cursor);

}  // namespace openarchiver::microsoft365
