#pragma once

#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>

#include "uid_set.hpp"

namespace openarchiver::imap {

/// How far a folder is known. UIDs only grow (RFC 3501 section 2.3.1.1), so what is new begins with
/// `next`; what has left shows in `messages`.
struct FolderCursor {
    /// How the ids of its items are made (item_id.hpp).
    char scheme = 'U';
    std::uint32_t uid_validity = 0;
    /// The first UID that is not known.
    std::uint32_t next = 1;
    /// How many messages with smaller UIDs there are.
    std::uint64_t messages = 0;
    /// The mod-sequence since when the server can tell what left; 0: it can't.
    std::uint64_t modseq = 0;
    /// The UIDs of these messages, where that is what it takes to tell what left, and there is
    /// room.
    std::optional<UidSet> known;

    [[nodiscard]] sdk::Cursor text() const;
    /// Nothing: it is none of this format.
    static std::optional<FolderCursor> parse(const sdk::Cursor& cursor);

    bool operator==(const FolderCursor&) const = default;
};

}  // namespace openarchiver::imap
