#include "mail/folder_listing.hpp"

#include <algorithm>
#include <mutex>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/digest.hpp"
#include "mail/task_group.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::AccountState;
using sdk::Errc;
using sdk::Flow;
using sdk::FolderListing;

constexpr std::uint32_t kDeltaPageSize = 500;
constexpr std::size_t kNamesBesideTheTop = 2;
constexpr std::string_view kListing = "listing the folders";
constexpr std::string_view kLookingUp = "looking up the well-known folders";
constexpr std::string_view kWalkOptions = "?includeHiddenFolders=true&$top=100";

std::string folders_path(const std::string& account_id) {
    return "/v1.0/users/" + percent_encode(account_id) + "/mailFolders";
}

FolderListing listing(AccountState state, std::string reason,
                      const std::optional<sdk::Cursor>& cursor) {
    FolderListing result;
    // Nothing was listed, so nothing is known to be gone.
    result.complete = false;
    result.cursor = cursor;
    result.account_state = state;
    result.reason = std::move(reason);
    return result;
}

}  // namespace

/// One complete listing under way; its tasks share it.
struct FolderLister::Walk {
    RequestLimiter& mailbox;
    const std::string& account_id;
    TaskGroup tasks;
    /// Not yet looked up; left to the task of the top once it runs.
    std::vector<std::string_view> names{};

    std::mutex mutex{};  // guards everything below
    FolderTree tree{};
    /// What delta knows of the folders, which may be more than the walk saw.
    std::vector<FolderEntry> from_delta{};
    std::string delta_link{};
    std::optional<GraphFailure> changes_refused{};
    /// What the top of the tree was refused with: there is no mailbox to read.
    std::optional<GraphFailure> closed{};
};

sdk::Result<FolderListing> FolderLister::list(RequestLimiter& mailbox,
                                              const std::string& account_id,
                                              const std::optional<sdk::Cursor>& cursor,
                                              sdk::FolderSink& sink, const std::stop_token& stop) {
    if (!cursor) {
        return list_all(mailbox, account_id, cursor, {}, sink, stop);
    }
    const auto known = decode_folder_cursor(*cursor);
    if (!known || known->selection != selection_digest(selection_)) {
        return failure(Errc::cursor_expired,
                       "the folders have to be listed anew: the cursor is of another version or "
                       "the configuration of folders has changed");
    }
    return list_changes(mailbox, account_id, *cursor, *known, sink, stop);
}

sdk::Result<FolderLister::Pages> FolderLister::read_pages(RequestLimiter& mailbox,
                                                          std::string target,
                                                          std::uint32_t page_size,
                                                          std::string_view what,
                                                          const std::stop_token& stop) {
    GraphRequest request;
    request.what = what;
    request.target = std::move(target);
    request.page_size = page_size;
    Pages result;
    WalkGuard guard;
    for (;;) {
        OPENARCHIVER_TRY(GraphAnswer answer, graph_.fetch(mailbox, request, Patience::wait, stop));
        if (answer.failure) {
            result.failure = std::move(answer.failure);
            return result;
        }
        OPENARCHIVER_TRY(Page<FolderEntry> page, parse_folders(answer.body));
        std::ranges::move(page.entries, std::back_inserter(result.folders));
        if (page.next_link.empty()) {
            result.delta_link = std::move(page.delta_link);
            return result;
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(request.target, follow_link(graph_.origin(), page.next_link));
    }
}

sdk::Result<FolderListing> FolderLister::state_or_error(const GraphFailure& failure_,
                                                        const std::optional<sdk::Cursor>& cursor,
                                                        std::string_view what) {
    switch (mailbox_verdict(failure_)) {
        case MailboxVerdict::without_mailbox:
            return listing(AccountState::without_mailbox,
                           "Exchange Online has no mailbox that could be read: not licensed, not "
                           "set up yet, deleted, or on premises (" +
                               failure_.service_code() + ")",
                           cursor);
        case MailboxVerdict::user_gone:
            return listing(AccountState::deleted_upstream, "the user was deleted", cursor);
        case MailboxVerdict::closed_by_policy:
            return listing(AccountState::closed_by_policy,
                           "a policy of the tenant closes this mailbox to the application", cursor);
        case MailboxVerdict::denied: {
            const auto claims = tokens_.claims();
            if (claims && !claims->reads_mail() && !some_mailbox_was_read_) {
                sdk::Error error = to_error(failure_, Subject::mailbox, what);
                error.message =
                    "the application has no permission to read mail: grant it the application "
                    "permission Mail.Read and give admin consent";
                return error;
            }
            return listing(AccountState::closed_by_policy,
                           "the mailbox is outside the scope that the application may read",
                           cursor);
        }
        case MailboxVerdict::nothing:
            break;
    }
    sdk::Error error = to_error(failure_, Subject::mailbox, what);
    if (error.code == Errc::not_found) {
        error.code = Errc::unavailable;  // every mailbox has a root: this one is being set up
    }
    return error;
}

void FolderLister::add_to_walk(Walk& walk, std::vector<FolderEntry> folders,
                               const std::string& parent_id) {
    const std::lock_guard lock(walk.mutex);
    for (FolderEntry& folder : folders) {
        if (folder.parent_id.empty()) {
            folder.parent_id = parent_id;
        }
        // A folder seen before was moved while walking; what is below it was or will be seen.
        const bool expand = folder.child_count > 0 && !folder.search;
        const auto [place, added] = walk.tree.folders.insert_or_assign(folder.id, folder);
        if (expand && added) {
            walk.tasks.add([this, &walk, id = place->first](const std::stop_token& stop) {
                return read_children(walk, id, stop);
            });
        }
    }
}

/// The last `count` of the names that are left.
void FolderLister::add_look_ups(Walk& walk, std::size_t count) {
    for (; count > 0 && !walk.names.empty(); --count) {
        walk.tasks.add([this, &walk, name = walk.names.back()](const std::stop_token& inner) {
            return look_up(walk, name, inner);
        });
        walk.names.pop_back();
    }
}

sdk::Status FolderLister::read_top(Walk& walk, const std::stop_token& stop) {
    OPENARCHIVER_TRY(
        Pages top,
        read_pages(walk.mailbox, folders_path(walk.account_id) + std::string(kWalkOptions), 0,
                   kListing, stop));
    if (top.failure) {
        walk.closed = std::move(top.failure);
        return cancelled();
    }
    some_mailbox_was_read_ = true;
    add_look_ups(walk, walk.names.size());
    std::string root_id;
    for (const FolderEntry& folder : top.folders) {
        if (!folder.parent_id.empty()) {
            root_id = folder.parent_id;
        }
    }
    if (root_id.empty()) {  // no folder below it told
        walk.tasks.add(
            [this, &walk](const std::stop_token& inner) { return look_up(walk, kRoot, inner); });
    }
    add_to_walk(walk, std::move(top.folders), root_id);
    const std::lock_guard lock(walk.mutex);
    walk.tree.root_id = std::move(root_id);
    return {};
}

sdk::Status FolderLister::read_changes_from_now(Walk& walk, const std::stop_token& stop) {
    OPENARCHIVER_TRY(Pages pages,
                     read_pages(walk.mailbox,
                                folders_path(walk.account_id) +
                                    "/delta?$select=id,displayName,parentFolderId,isHidden",
                                kDeltaPageSize, kListing, stop));
    const std::lock_guard lock(walk.mutex);
    walk.changes_refused = std::move(pages.failure);
    walk.from_delta = std::move(pages.folders);
    walk.delta_link = std::move(pages.delta_link);
    return {};
}

sdk::Status FolderLister::read_children(Walk& walk, const std::string& folder_id,
                                        const std::stop_token& stop) {
    OPENARCHIVER_TRY(Pages pages,
                     read_pages(walk.mailbox,
                                folders_path(walk.account_id) + "/" + percent_encode(folder_id) +
                                    "/childFolders" + std::string(kWalkOptions),
                                0, kListing, stop));
    if (pages.failure) {
        sdk::Error error = to_error(*pages.failure, Subject::folder, kListing);
        if (error.code == Errc::not_found) {
            return {};  // deleted while walking
        }
        return error;
    }
    add_to_walk(walk, std::move(pages.folders), folder_id);
    return {};
}

/// Each name by a request of its own: Graph counts those of a batch one by one, and runs no more of
/// them at a time.
sdk::Status FolderLister::look_up(Walk& walk, std::string_view well_known_name,
                                  const std::stop_token& stop) {
    const bool whole = well_known_name == kRecoverableItems;
    GraphRequest request;
    request.what = kLookingUp;
    request.target = folders_path(walk.account_id) + "/" + std::string(well_known_name) +
                     (whole ? "?$select=id,displayName,totalItemCount" : "?$select=id");
    OPENARCHIVER_TRY(const GraphAnswer answer,
                     graph_.fetch(walk.mailbox, request, Patience::wait, stop));
    if (answer.failure) {
        sdk::Error error = to_error(*answer.failure, Subject::folder, kLookingUp);
        const bool closed = whole && error.code == Errc::permission_denied;
        if (error.code == Errc::not_found || closed) {
            return {};  // the mailbox has no such folder, or does not show it
        }
        return error;
    }
    OPENARCHIVER_TRY(FolderEntry folder, parse_folder(answer.body));
    const std::lock_guard lock(walk.mutex);
    walk.tree.well_known.emplace(well_known_name, folder.id);
    if (whole) {
        folder.parent_id.clear();
        walk.tree.folders.insert_or_assign(folder.id, std::move(folder));
    }
    return {};
}

sdk::Result<FolderListing> FolderLister::list_all(RequestLimiter& mailbox,
                                                  const std::string& account_id,
                                                  const std::optional<sdk::Cursor>& cursor,
                                                  std::string delta_link, sdk::FolderSink& sink,
                                                  const std::stop_token& stop) {
    Walk walk{.mailbox = mailbox, .account_id = account_id, .tasks = TaskGroup(stop)};
    // Four requests go out together: for the top of the tree, for what tells of all folders, and
    // for two names. The other names come after the folders below the top, which may have more
    // below.
    walk.names = names_to_look_up(selection_);
    add_look_ups(walk, kNamesBesideTheTop);
    if (delta_link.empty()) {
        walk.tasks.add([this, &walk](const std::stop_token& inner) {
            return read_changes_from_now(walk, inner);
        });
    } else {
        walk.delta_link = std::move(delta_link);
    }
    // It alone shows whether there is a mailbox at all, so no other task's end stops it.
    walk.tasks.add([this, &walk, &stop](const std::stop_token&) { return read_top(walk, stop); });
    sdk::Status walked = walk.tasks.run(mailbox.concurrent());
    if (walk.closed) {
        return state_or_error(*walk.closed, cursor, kListing);
    }
    OPENARCHIVER_CHECK(walked);
    if (walk.changes_refused) {
        logger_.log(sdk::LogLevel::warning,
                    "OA-8305 changes of folders can't be followed; they are listed whole each time",
                    {{"account", account_id}, {"code", walk.changes_refused->service_code()}});
    }

    // Folders made while the walk was under way.
    if (const auto root = walk.tree.well_known.find(kRoot); root != walk.tree.well_known.end()) {
        walk.tree.root_id = root->second;
    }
    bool grown = true;
    while (grown) {
        grown = false;
        for (const FolderEntry& folder : walk.from_delta) {
            const bool below = folder.parent_id == walk.tree.root_id ||
                               walk.tree.folders.contains(folder.parent_id);
            if (!folder.removed && below && folder.id != walk.tree.root_id &&
                !walk.tree.folders.contains(folder.id)) {
                walk.tree.folders.emplace(folder.id, folder);
                grown = true;
            }
        }
    }

    JudgedFolders judged = judge_folders(walk.tree, selection_);
    for (const sdk::Folder& folder : judged.folders) {
        if (sink.folder(folder) == Flow::stop) {
            return cancelled();
        }
    }
    FolderListing result;
    result.complete = true;
    if (!walk.delta_link.empty() && follow_link(graph_.origin(), walk.delta_link)) {
        FolderCursor next;
        next.delta_link = std::move(walk.delta_link);
        next.root_id = std::move(walk.tree.root_id);
        next.well_known = std::move(walk.tree.well_known);
        next.left_out.emplace();
        for (const std::string& id : judged.left_out) {
            next.left_out->insert(short_digest(id));
        }
        next.selection = selection_digest(selection_);
        result.cursor = encode_folder_cursor(next);
    }
    return result;
}

sdk::Result<FolderListing> FolderLister::list_changes(
    RequestLimiter& mailbox, const std::string& account_id, const sdk::Cursor& cursor,
    const FolderCursor& known, sdk::FolderSink& sink, const std::stop_token& stop) {
    const auto expired = [](std::string_view why) {
        return failure(Errc::cursor_expired,
                       "the folders have to be listed anew: " + std::string(why));
    };
    auto target = follow_link(graph_.origin(), known.delta_link);
    if (!target) {
        return expired("the cursor is not of this service");
    }
    OPENARCHIVER_TRY(Pages changes,
                     read_pages(mailbox, std::move(*target), kDeltaPageSize, kListing, stop));
    if (changes.failure) {
        if (is_expired_token(*changes.failure, TokenOrigin::stored) ||
            refuses_changes(*changes.failure) ||
            (changes.failure->status == 404 &&
             mailbox_verdict(*changes.failure) == MailboxVerdict::nothing)) {
            return expired("the service no longer knows its change token (" +
                           changes.failure->service_code() + ")");
        }
        return state_or_error(*changes.failure, cursor, kListing);
    }
    some_mailbox_was_read_ = true;
    if (changes.delta_link.empty()) {
        return expired("the service gave no link to go on from");
    }

    // A removal may take folders below it along, and a move may carry them in or out of what is
    // archived: such changes are rare enough to walk the tree again.
    const auto is_left_out = [&known](const std::string& id) {
        return known.left_out && known.left_out->contains(short_digest(id));
    };
    const bool by_default = selection_.include.empty() && selection_.exclude.empty();
    const bool simple = std::ranges::all_of(changes.folders, [&](const FolderEntry& folder) {
        return folder.id == known.root_id ||
               (by_default && known.left_out && !folder.removed && !folder.search &&
                !folder.parent_id.empty() && !is_left_out(folder.id) &&
                !is_left_out(folder.parent_id));
    });
    if (!simple) {
        return list_all(mailbox, account_id, cursor, std::move(changes.delta_link), sink, stop);
    }
    for (const FolderEntry& changed : changes.folders) {
        if (changed.id == known.root_id) {
            continue;
        }
        sdk::Folder folder;
        folder.id = changed.id;
        folder.parent_id = changed.parent_id == known.root_id ? "" : changed.parent_id;
        folder.display_name = changed.display_name;
        folder.hidden = changed.hidden;
        folder.item_count = changed.item_count;
        for (const auto& [name, id] : known.well_known) {
            if (id == changed.id) {
                folder.well_known_name = name;
            }
        }
        if (sink.folder(folder) == Flow::stop) {
            return cancelled();
        }
    }
    FolderCursor next = known;
    next.delta_link = std::move(changes.delta_link);
    FolderListing result;
    result.complete = false;
    result.cursor = encode_folder_cursor(next);
    return result;
}

}  // namespace openarchiver::microsoft365
