#pragma once

#include <array>
#include <map>
#include <openarchiver/sdk/model.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "graph/graph_documents.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// The names under which Graph knows folders whatever the mailbox's language.
inline constexpr std::array<std::string_view, 16> kWellKnownNames = {
    "msgfolderroot", "inbox",
    "drafts",        "sentitems",
    "deleteditems",  "outbox",
    "junkemail",     "archive",
    "clutter",       "conversationhistory",
    "syncissues",    "conflicts",
    "localfailures", "serverfailures",
    "searchfolders", "recoverableitemsdeletions"};

inline constexpr std::string_view kRoot = "msgfolderroot";
inline constexpr std::string_view kRecoverableItems = "recoverableitemsdeletions";

/// The well-known names to look up in a mailbox: those of the default rules, the two folders that
/// are never quiet, and those that the configuration names. Each costs the mailbox a request.
std::vector<std::string_view> names_to_look_up(const SelectionSettings& selection);

/// The folders of a mailbox as they were listed, with what is needed to judge them.
struct FolderTree {
    /// By id; search folders included, the root not.
    std::map<std::string, FolderEntry> folders;
    std::string root_id;
    /// Name to id, for the folders that the mailbox has.
    std::map<std::string, std::string, std::less<>> well_known;
};

/// What a whole tree comes to.
struct JudgedFolders {
    std::vector<sdk::Folder> folders;
    /// Ids of the folders that are left out, search folders included.
    std::unordered_set<std::string> left_out;
};

/// Says of each folder whether it is archived. Search folders, with all below them, are not part of
/// the result: what they show is elsewhere.
JudgedFolders judge_folders(const FolderTree& tree, const SelectionSettings& selection);

}  // namespace openarchiver::microsoft365
