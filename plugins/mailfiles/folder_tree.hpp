#pragma once

#include <functional>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "container_trees.hpp"
#include "file_access.hpp"
#include "layout.hpp"
#include "settings.hpp"
#include "unpacked.hpp"

/// The folders of an account. A folder's id is its path from its root's name on ("alice/2024"), a
/// Maildir++ subfolder's ends with its name on disk ("alice/.Sent"). An mbox is a folder, an
/// archive one with folders below it ("alice/old.zip/2019/inbox.mbox"). Hidden folders count only
/// where they are Maildirs: the others are snapshots, caches and the like.
namespace openarchiver::mailfiles {

struct FolderTree {
    std::vector<sdk::Folder> folders;
    /// False: some folder could not be read, so that its children are not known to be gone.
    bool complete = true;
    std::uint64_t unreadable = 0;
};

struct TreeServices {
    const Settings& settings;
    Unpacking& unpacking;
    ContainerTrees& container_trees;
    /// Is given each folder on the disk.
    std::function<void(const FileDescriptor& folder)> on_folder = {};
};

sdk::Result<FolderTree> read_folder_tree(const AccountLayout& account, const TreeServices& services,
                                         const std::stop_token& stop);

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
