#pragma once

#include <atomic>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"
#include "mail/folder_cursor.hpp"
#include "mail/folder_rules.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::list_folders(). The first listing walks the whole tree, hidden folders
/// included; later ones ask for changes, in one request where there are none, and walk again only
/// after a change that can't be judged from the cursor.
class FolderLister {
public:
    FolderLister(GraphClient& graph, TokenSource& tokens, const SelectionSettings& selection,
                 sdk::Logger& logger)
        : graph_(graph), tokens_(tokens), selection_(selection), logger_(logger) {}

    sdk::Result<sdk::FolderListing> list(RequestLimiter& mailbox, const std::string& account_id,
                                         const std::optional<sdk::Cursor>& cursor,
                                         sdk::FolderSink& sink, const std::stop_token& stop);

private:
    struct Walk;

    /// Follows the pages of a listing of folders from `target` to its end. `delta_link` is what
    /// the last page gave.
    struct Pages {
        std::vector<FolderEntry> folders;
        std::string delta_link;
        std::optional<GraphFailure> failure;
    };

    sdk::Result<Pages> read_pages(RequestLimiter& mailbox, std::string target,
                                  std::uint32_t page_size, std::string_view what,
                                  const std::stop_token& stop);
    void add_look_ups(Walk& walk, std::size_t count);
    sdk::Status read_top(Walk& walk, const std::stop_token& stop);
    sdk::Status read_changes_from_now(Walk& walk, const std::stop_token& stop);
    sdk::Status look_up(Walk& walk, std::string_view well_known_name, const std::stop_token& stop);
    sdk::Status read_children(Walk& walk, const std::string& folder_id,
                              const std::stop_token& stop);
    void add_to_walk(Walk& walk, std::vector<FolderEntry> folders, const std::string& parent_id);

    /// The account's state, where the failure speaks of the mailbox; otherwise the error.
    sdk::Result<sdk::FolderListing> state_or_error(const GraphFailure& failure,
                                                   const std::optional<sdk::Cursor>& cursor,
                                                   std::string_view what);
    /// `delta_link` empty: not known yet.
    sdk::Result<sdk::FolderListing> list_all(RequestLimiter& mailbox, const std::string& account_id,
                                             const std::optional<sdk::Cursor>& cursor,
                                             std::string delta_link, sdk::FolderSink& sink,
                                             const std::stop_token& stop);
    sdk::Result<sdk::FolderListing> list_changes(RequestLimiter& mailbox,
                                                 const std::string& account_id,
                                                 const sdk::Cursor& cursor,
                                                 const FolderCursor& known, sdk::FolderSink& sink,
                                                 const std::stop_token& stop);

    GraphClient& graph_;
    TokenSource& tokens_;
    const SelectionSettings& selection_;
    sdk::Logger& logger_;
    /// A mailbox was read, so missing consent does not explain why another is refused.
    std::atomic<bool> some_mailbox_was_read_ = false;
};

}  // namespace openarchiver::microsoft365
