#pragma once

#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "settings.hpp"

namespace openarchiver::imap {

/// How a mailbox stood when the folders were listed.
struct MailboxState {
    std::uint32_t uid_validity = 0;
    std::uint32_t uid_next = 0;
    std::uint64_t messages = 0;
};

struct FolderEntry {
    sdk::Folder folder;
    std::string mailbox;  // as on the wire
    std::optional<MailboxState> state;
    /// Where to wait for news.
    bool watched = false;
};

/// The folders of an account, and which of them are archived.
struct FolderTree {
    std::vector<FolderEntry> entries;

    [[nodiscard]] const FolderEntry* find(const std::string& folder_id) const;
};

/// Folders are known by the server's own ids where it has them (`names.folder`), else by name.
FolderTree make_folder_tree(const Connection::Listing& listing, const StableNames& names,
                            bool roles_are_told, const FolderSelection& selection);

}  // namespace openarchiver::imap
