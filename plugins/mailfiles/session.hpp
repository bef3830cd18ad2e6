#pragma once

#include <memory>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <string>
#include <vector>

#include "container_trees.hpp"
#include "folder_tree.hpp"
#include "layout.hpp"
#include "message_finder.hpp"
#include "settings.hpp"
#include "unpacked.hpp"
#include "watcher.hpp"

namespace openarchiver::mailfiles {

/// Files have no change feed. A folder's cursor says how its files stood (folder_listing.hpp): as
/// long as that fits, sync_folder() reports nothing; when it does not, the answer is
/// cursor_expired, and the engine lists anew without a cursor and finds out itself what came,
/// changed and left. Items that it has cost it nothing.
class Session final : public sdk::ProviderSession {
public:
    Session(Settings settings, const sdk::HostServices& host);

    [[nodiscard]] sdk::SessionLimits limits() const override;
    sdk::Result<std::vector<sdk::Check>> check(std::stop_token stop) override;
    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>& cursor,
                                       sdk::AccountSink& sink, std::stop_token stop) override;
    sdk::Result<sdk::FolderListing> list_folders(const std::string& account_id,
                                                 const std::optional<sdk::Cursor>& cursor,
                                                 sdk::FolderSink& sink,
                                                 std::stop_token stop) override;
    sdk::Status sync_folder(const std::string& account_id, const std::string& folder_id,
                            const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                            std::stop_token stop) override;
    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string& account_id,
                                                               const std::string& item_id,
                                                               std::stop_token stop) override;
    sdk::Status probe(const std::string& account_id, std::stop_token stop) override;
    sdk::Result<sdk::Estimate> estimate(std::stop_token stop) override;

private:
    using Accounts = std::vector<AccountLayout>;

    /// Looks at the paths again.
    sdk::Result<std::shared_ptr<const Accounts>> refresh();
    sdk::Result<std::shared_ptr<const AccountLayout>> layout_of(const std::string& account_id);
    [[nodiscard]] TreeServices tree_services();
    Watcher& watcher();

    const Settings settings_;
    sdk::Logger& logger_;
    sdk::Metrics& metrics_;
    sdk::Waker& waker_;
    Unpacking unpacking_;
    ContainerTrees container_trees_;
    PlaceCache places_;
    std::mutex mutex_;  // guards the two below
    /// Shared with the calls that are using it while discover() replaces it.
    std::shared_ptr<const Accounts> accounts_;
    std::unique_ptr<Watcher> watcher_;
};

}  // namespace openarchiver::mailfiles
