#include "mail/quiet_folders.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <string_view>

#include "failure.hpp"
#include "graph/graph_documents.hpp"
#include "graph/link_guard.hpp"
#include "mail/folder_cursor.hpp"

namespace openarchiver::microsoft365 {

namespace {

std::uint64_t hash_of(std::string_view text) {
    return std::hash<std::string_view>{}(text);
}

}  // namespace

QuietFolders::Account& QuietFolders::account(const std::string& account_id) {
    const std::lock_guard lock(mutex_);
    return accounts_[account_id];  // stays where it is
}

void QuietFolders::begin_pass(RequestLimiter& mailbox, const std::string& account_id,
                              const std::optional<sdk::Cursor>& folders,
                              const std::stop_token& stop) {
    Account& state = account(account_id);
    state.counts.clear();
    if (!folders || state.polls.empty()) {
        return;
    }
    state.always_polled.clear();
    if (const auto known = decode_folder_cursor(*folders)) {
        for (const char* const name : {"inbox", "sentitems"}) {
            if (const auto found = known->well_known.find(name); found != known->well_known.end()) {
                state.always_polled.insert(hash_of(found->second));
            }
        }
    }
    std::vector<ParentToRead> parents{{}};
    while (!parents.empty()) {
        const ParentToRead parent = std::move(parents.back());
        parents.pop_back();
        auto below = read_below(mailbox, account_id, parent, state, stop);
        if (!below) {
            if (below.error().code == sdk::Errc::not_found) {
                continue;  // deleted meanwhile
            }
            return;
        }
        std::ranges::move(*below, std::back_inserter(parents));
    }
}

sdk::Result<std::vector<QuietFolders::ParentToRead>> QuietFolders::read_below(
    RequestLimiter& mailbox, const std::string& account_id, const ParentToRead& parent,
    Account& state, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "reading the counts of the folders";
    request.target = "/v1.0/users/" + percent_encode(account_id) + "/mailFolders";
    if (!parent.id.empty()) {
        request.target += "/" + percent_encode(parent.id) + "/childFolders";
    }
    request.target +=
        "?$select=id,childFolderCount,totalItemCount,unreadItemCount&includeHiddenFolders=true"
        "&$top=100";
    Parent listed;
    listed.child_count = parent.child_count;
    std::vector<ParentToRead> below;
    WalkGuard guard;
    for (;;) {
        OPENARCHIVER_TRY(const GraphAnswer answer,
                         graph_.fetch(mailbox, request, Patience::wait, stop));
        if (answer.failure) {
            return to_error(*answer.failure, Subject::folder, request.what);
        }
        OPENARCHIVER_TRY(const Page<FolderEntry> page, parse_folders(answer.body));
        for (const FolderEntry& folder : page.entries) {
            const Id id = hash_of(folder.id);
            if (folder.search) {
                continue;
            }
            listed.children.push_back(id);
            if (folder.item_count && folder.unread_count) {
                state.counts[id] = {*folder.item_count, *folder.unread_count};
            }
            const auto known = state.parents.find(id);
            if (folder.child_count > 0 &&
                (known == state.parents.end() || known->second.child_count != folder.child_count ||
                 saves_requests(state, id))) {
                below.push_back({folder.id, folder.child_count});
            }
        }
        if (page.next_link.empty()) {
            break;
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(request.target, follow_link(graph_.origin(), page.next_link));
    }
    state.parents[hash_of(parent.id)] = std::move(listed);
    return below;
}

bool QuietFolders::saves_requests(const Account& state, Id parent) {
    std::size_t listings = 0;
    std::size_t polls = 0;
    std::vector<Id> open{parent};
    std::unordered_set<Id> seen;  // a tree that was moved while it was listed may have circles
    while (!open.empty()) {
        const auto found = state.parents.find(open.back());
        open.pop_back();
        if (found == state.parents.end() || !seen.insert(found->first).second) {
            continue;
        }
        ++listings;
        for (const Id child : found->second.children) {
            polls += state.polls.contains(child) && !state.always_polled.contains(child) ? 1 : 0;
            open.push_back(child);
        }
    }
    return polls > listings;
}

bool QuietFolders::is_quiet(const std::string& account_id, const std::string& folder_id,
                            const sdk::Cursor& cursor) {
    const Account& state = account(account_id);
    const Id id = hash_of(folder_id);
    const auto poll = state.polls.find(id);
    const auto counts = state.counts.find(id);
    if (poll == state.polls.end() || counts == state.counts.end() ||
        state.always_polled.contains(id) || poll->second.before != counts->second ||
        poll->second.cursor != hash_of(cursor.value)) {
        return false;
    }
    // Between half and seven eighths of the time, by folder: so that what was polled together does
    // not stay together, and that the next pass is not too late.
    const auto share = static_cast<std::int64_t>(512 + id % 384);
    return clock_.steady_now() - poll->second.at < max_lag_ * share / 1024;
}

void QuietFolders::polled(const std::string& account_id, const std::string& folder_id,
                          const sdk::Cursor& cursor) {
    Account& state = account(account_id);
    const Id id = hash_of(folder_id);
    Poll& poll = state.polls[id];
    const auto counts = state.counts.find(id);
    poll.before = counts == state.counts.end() ? std::nullopt : std::optional(counts->second);
    poll.cursor = hash_of(cursor.value);
    poll.at = clock_.steady_now();
}

}  // namespace openarchiver::microsoft365
