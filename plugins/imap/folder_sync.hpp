#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>

#include "account.hpp"
#include "folder_cursor.hpp"

namespace openarchiver::imap {

/// Reports what a folder holds, or what came and left since a cursor. No connection is held while
/// the sink is called.
///
/// What came: the UIDs from the cursor's `next` on, a page at a time. What left: seen by the number
/// of messages; which ones, QRESYNC tells, or the UIDs in the cursor do. With ids that keep over
/// moves, UIDs do not tell the ids of what is gone: the cursor has expired then, and the engine
/// compares a listing (which costs it no content).
class FolderSync {
public:
    FolderSync(Account& account, const FolderEntry& entry, sdk::ItemSink& sink,
               std::stop_token stop)
        : account_(account), entry_(entry), sink_(sink), stop_(std::move(stop)) {}

    sdk::Status run(const std::optional<FolderCursor>& since);

private:
    /// What was found out with one connection.
    struct News {
        FolderCursor cursor;  ///< before the first page
        UidSet fresh;
        UidSet gone;
        std::uint32_t end = 1;  ///< `next` after the last page
    };

    struct Page {
        std::vector<FetchedMessage> messages;
        std::vector<std::pair<UidSet::Uid, sdk::Error>> failed;
    };

    sdk::Result<News> look(Connection& connection, const std::optional<FolderCursor>& since);
    sdk::Result<UidSet> what_left(Connection& connection, const FolderCursor& since,
                                  std::uint64_t left, FolderCursor& now);
    sdk::Result<Page> describe(Connection& connection, const UidSet& uids,
                               const FolderCursor& cursor);
    sdk::Status report(const Page& page, const FolderCursor& cursor);

    [[nodiscard]] bool go_on(sdk::Flow flow) const {
        return flow == sdk::Flow::proceed && !stop_.stop_requested();
    }

    Account& account_;
    const FolderEntry& entry_;
    sdk::ItemSink& sink_;
    const std::stop_token stop_;
};

}  // namespace openarchiver::imap
