#pragma once

#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "layout.hpp"

/// The folders of an account. A folder's id is its path from its root's name on ("alice/2024"), a
/// Maildir++ subfolder's ends with its name on disk ("alice/.Sent"). Hidden folders count only
/// where they are Maildirs: the others are snapshots, caches and the like.
namespace openarchiver::mailfiles {

struct FolderTree {
    std::vector<sdk::Folder> folders;
    /// False: some folder could not be read, so that its children are not known to be gone.
    bool complete = true;
    std::uint64_t unreadable = 0;
};

sdk::Result<FolderTree> read_folder_tree(const AccountLayout& account, const std::stop_token& stop);

/// A path below a root of the account.
struct RelativePath {
    const Root* root = nullptr;
    /// Empty: the root itself.
    std::string below;
};

/// What a folder id or the id of an `.eml` item stands for, whether it is there or not.
std::optional<RelativePath> resolve_id(const AccountLayout& account, std::string_view id);

[[nodiscard]] std::string id_of(const Root& root, std::string_view below);

}  // namespace openarchiver::mailfiles
