#include <algorithm>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

sdk::Flow AccountCollector::account(const sdk::Account& account) {
    accounts.push_back(account);
    return answer;
}

sdk::Flow FolderCollector::folder(const sdk::Folder& folder) {
    folders.push_back(folder);
    return answer;
}

sdk::Flow FolderCollector::folder_removed(std::string_view folder_id) {
    removed.emplace_back(folder_id);
    return answer;
}

sdk::Flow ItemCollector::item(const sdk::Item& item) {
    const std::lock_guard lock(mutex_);
    // A listing that does not tell the tag never makes a new version of a known item.
    if (!item.content_tag.empty() || !items.contains(item.id)) {
        items[item.id] = item.content_tag;
    }
    if (on_item) {
        on_item(item);
    }
    return count_event();
}

sdk::Flow ItemCollector::item_left(std::string_view item_id) {
    const std::lock_guard lock(mutex_);
    items.erase(std::string(item_id));
    return count_event();
}

sdk::Flow ItemCollector::item_failed(std::string_view item_id, const sdk::Error& error) {
    const std::lock_guard lock(mutex_);
    items[std::string(item_id)] = "failed";
    failures.push_back(error);
    return count_event();
}

sdk::Flow ItemCollector::checkpoint(const sdk::Cursor& cursor) {
    const std::lock_guard lock(mutex_);
    checkpoints.push_back(cursor);
    last_was_checkpoint = true;
    return answer(checkpoints.size() == stop_at_checkpoint);
}

sdk::Flow ItemCollector::count_event() {
    ++events;
    last_was_checkpoint = false;
    return answer(events == stop_at_event);
}

sdk::Flow ItemCollector::answer(bool stop) {
    if (stopped) {
        ++after_stop;
        return sdk::Flow::stop;
    }
    stopped = stop;
    return stop ? sdk::Flow::stop : sdk::Flow::proceed;
}

sdk::Result<std::vector<sdk::Account>> available_accounts(sdk::ProviderSession& session) {
    AccountCollector sink;
    OPENARCHIVER_CHECK(session.discover(std::nullopt, sink, {}));
    std::erase_if(sink.accounts, [](const sdk::Account& account) {
        return account.state != sdk::AccountState::available;
    });
    return std::move(sink.accounts);
}

sdk::Result<std::vector<FolderPlace>> archived_folders(sdk::ProviderSession& session) {
    OPENARCHIVER_TRY(const std::vector<sdk::Account> accounts, available_accounts(session));
    std::vector<FolderPlace> places;
    for (const sdk::Account& account : accounts) {
        FolderCollector sink;
        OPENARCHIVER_TRY(const sdk::FolderListing listing,
                         session.list_folders(account.id, std::nullopt, sink, {}));
        if (listing.account_state != sdk::AccountState::available) {
            continue;
        }
        for (const sdk::Folder& folder : sink.folders) {
            if (folder.archived) {
                places.push_back({account.id, folder.id});
            }
        }
    }
    return places;
}

sdk::Result<std::vector<ItemPlace>> some_items(sdk::ProviderSession& session, std::size_t limit) {
    OPENARCHIVER_TRY(const std::vector<FolderPlace> folders, archived_folders(session));
    std::vector<std::vector<ItemPlace>> by_folder;
    std::size_t longest = 0;
    for (const FolderPlace& place : folders) {
        ItemCollector sink;
        OPENARCHIVER_CHECK(
            session.sync_folder(place.account_id, place.folder_id, std::nullopt, sink, {}));
        std::vector<ItemPlace>& items = by_folder.emplace_back();
        for (const auto& [id, tag] : sink.items) {
            if (tag != "failed") {
                items.push_back({place, id});
            }
        }
        longest = std::max(longest, items.size());
    }
    std::vector<ItemPlace> chosen;
    for (std::size_t i = 0; i < longest; ++i) {
        for (const std::vector<ItemPlace>& items : by_folder) {
            if (i < items.size() && chosen.size() < limit) {
                chosen.push_back(items[i]);
            }
        }
    }
    return chosen;
}

std::optional<ItemPlace> any_item(sdk::ProviderSession& session, Findings& findings) {
    const auto items = some_items(session, 1);
    if (!findings.expect(items.has_value(), "the source can be listed", outcome_of(items)) ||
        !findings.expect(!items->empty(), "the fixture's source has an item")) {
        return std::nullopt;
    }
    return items->front();
}

sdk::Status Replica::sync(sdk::ProviderSession& session) {
    OPENARCHIVER_TRY(const std::vector<FolderPlace> places, archived_folders(session));
    std::map<FolderPlace, FolderState> next;
    for (const FolderPlace& place : places) {
        FolderState& folder = next[place];
        folder = folders_[place];
        ItemCollector sink;
        if (folder.cursor) {
            sink.items = folder.items;
        }
        sdk::Status status =
            session.sync_folder(place.account_id, place.folder_id, folder.cursor, sink, {});
        ItemCollector anew;
        const bool expired = failed_with(status, sdk::Errc::cursor_expired);
        if (expired) {
            ++expired_;
            status = session.sync_folder(place.account_id, place.folder_id, std::nullopt, anew, {});
        }
        OPENARCHIVER_CHECK(status);
        ItemCollector& last = expired ? anew : sink;
        folder.items = std::move(last.items);
        folder.cursor =
            last.checkpoints.empty() ? std::nullopt : std::optional(last.checkpoints.back());
    }
    folders_ = std::move(next);
    return {};
}

std::map<FolderPlace, ItemMap> Replica::items() const {
    std::map<FolderPlace, ItemMap> items;
    for (const auto& [place, folder] : folders_) {
        if (!folder.items.empty()) {
            items[place] = folder.items;
        }
    }
    return items;
}

std::map<std::pair<std::string, std::string>, std::string> Replica::items_anywhere() const {
    std::map<std::pair<std::string, std::string>, std::string> items;
    for (const auto& [place, folder] : folders_) {
        for (const auto& [id, tag] : folder.items) {
            items[{place.account_id, id}] = tag;
        }
    }
    return items;
}

}  // namespace openarchiver::testkit::provider
