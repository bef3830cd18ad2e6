#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <openarchiver/testkit/provider_checks.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// The parts of the provider suite, and what they look at a source with.
namespace openarchiver::testkit::provider {

using Body = std::function<void(sdk::ProviderSession&, Findings&)>;

/// A check on a session that is opened for it.
ConformanceCheck check(const ProviderFixture& fixture, Promise promise, Body body);

class AccountCollector final : public sdk::AccountSink {
public:
    sdk::Flow account(const sdk::Account& account) override;

    std::vector<sdk::Account> accounts;
    sdk::Flow answer = sdk::Flow::proceed;
};

class FolderCollector final : public sdk::FolderSink {
public:
    sdk::Flow folder(const sdk::Folder& folder) override;
    sdk::Flow folder_removed(std::string_view folder_id) override;

    std::vector<sdk::Folder> folders;
    std::vector<std::string> removed;
    sdk::Flow answer = sdk::Flow::proceed;
};

/// The items of a folder by id, with their content tags; failed ones have the tag "failed".
using ItemMap = std::map<std::string, std::string>;

/// Follows a folder as the engine does.
class ItemCollector final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item& item) override;
    sdk::Flow item_left(std::string_view item_id) override;
    sdk::Flow item_failed(std::string_view item_id, const sdk::Error& error) override;
    sdk::Flow checkpoint(const sdk::Cursor& cursor) override;

    ItemMap items;
    /// Item events of all kinds, without checkpoints.
    std::size_t events = 0;
    std::vector<sdk::Cursor> checkpoints;
    bool last_was_checkpoint = false;
    /// Calls after the collector answered stop.
    std::size_t after_stop = 0;
    bool stopped = false;
    std::vector<sdk::Error> failures;

    /// Answer stop at this event (from 1) or at this checkpoint (from 1); 0: never.
    std::size_t stop_at_event = 0;
    std::size_t stop_at_checkpoint = 0;
    std::function<void(const sdk::Item&)> on_item;

private:
    sdk::Flow count_event();
    sdk::Flow answer(bool stop);

    std::mutex mutex_;  // a provider may call from threads of its own; read when they are done
};

/// A folder of an account that is to be archived.
struct FolderPlace {
    std::string account_id;
    std::string folder_id;

    auto operator<=>(const FolderPlace&) const = default;
};

struct ItemPlace {
    FolderPlace folder;
    std::string item_id;
};

sdk::Result<std::vector<sdk::Account>> available_accounts(sdk::ProviderSession& session);
sdk::Result<std::vector<FolderPlace>> archived_folders(sdk::ProviderSession& session);

/// Up to `limit` items, spread over all folders.
sdk::Result<std::vector<ItemPlace>> some_items(sdk::ProviderSession& session, std::size_t limit);

/// The first folder that has items, as a place of one of them; a finding where there is none.
std::optional<ItemPlace> any_item(sdk::ProviderSession& session, Findings& findings);

/// What an engine knows of a source, kept up with cursors.
class Replica {
public:
    /// From the cursors that it has; where one has expired, anew.
    sdk::Status sync(sdk::ProviderSession& session);

    /// Item ids and tags by folder.
    [[nodiscard]] std::map<FolderPlace, ItemMap> items() const;

    /// How many cursors had expired.
    [[nodiscard]] std::size_t expired() const { return expired_; }

    /// Item ids and tags by account and id, wherever they are.
    [[nodiscard]] std::map<std::pair<std::string, std::string>, std::string> items_anywhere() const;

private:
    struct FolderState {
        ItemMap items;
        std::optional<sdk::Cursor> cursor;
    };

    std::map<FolderPlace, FolderState> folders_;
    std::size_t expired_ = 0;
};

void add_discovery_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_cursor_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_content_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_stop_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_upstream_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks);

}  // namespace openarchiver::testkit::provider
