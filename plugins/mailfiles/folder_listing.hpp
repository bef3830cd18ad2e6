#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "folder_tree.hpp"
#include "place_cache.hpp"

namespace openarchiver::mailfiles {

/// What sync_folder() does, for one folder.
///
/// Item ids: of a Maildir the unique name of the file without its flags, the same in every folder,
/// so that a message keeps its id when it is moved or read; of an `.eml` file its path from its
/// root's name on, which has a '/'; of what has no name of its own, messages of mbox and PST files,
/// "sha256:" and its digest (message_digest.hpp), with ".2" and so on where a folder has the same
/// message again. These neither double when the file is rewritten, nor when they go to another one.
/// Bytes that are no message are failed items, by their folder and position:
/// "mail/inbox.mbox@1234".
///
/// Content tags: of a Maildir the size (a message in it never changes), of `.eml` files the size
/// and the time of the last change, in archives size and digest, of messages known by their digest
/// that.
///
/// Cursors: a digest of the listing; of an mbox, and of everything in an archive, size and time of
/// the last change of the file.
struct FolderListing {
    const AccountLayout& account;
    const RelativePath& path;
    const std::string& folder_id;
    const TreeServices& services;
    PlaceCache& places;
};

sdk::Status list_items(const FolderListing& listing, const std::optional<sdk::Cursor>& cursor,
                       sdk::ItemSink& sink, const std::stop_token& stop);

/// "sha256:DIGEST" or "sha256:DIGEST.2".
[[nodiscard]] std::string digest_id(const std::string& digest, std::uint32_t occurrence);

/// Counts how often a folder has a message.
class Occurrences {
public:
    /// 1 for the first one.
    std::uint32_t next(const std::string& digest);

private:
    /// By the front of the digest, to save memory. Two that share it are numbered as one.
    std::unordered_map<std::uint64_t, std::uint32_t> counts_;
};

/// Why an item can't be read that was reported as failed; success: nothing is wrong with it now.
sdk::Status failure_of(const AccountLayout& account, std::string_view item_id,
                       const TreeServices& services, const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
