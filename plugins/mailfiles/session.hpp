#pragma once

#include <memory>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <string>
#include <vector>

#include "folder_contents.hpp"
#include "folder_tree.hpp"
#include "layout.hpp"
#include "place_cache.hpp"

namespace openarchiver::mailfiles {

/// Files have no change feed. A folder's cursor is a digest of its listing: as long as it fits,
/// sync_folder() reports nothing; when it does not, the answer is cursor_expired, and the engine
/// lists anew without a cursor and finds out itself what came, changed and left. Items that it has
/// cost it nothing.
///
/// Item ids: of a Maildir the unique name of the file without its flags, the same in every folder,
/// so that a message keeps its id when it is moved or read; of an `.eml` file its path from its
/// root's name on. Only the latter have a '/'. Content tags: the size, of `.eml` files with the
/// time of the last change (a message in a Maildir never changes).
class Session final : public sdk::ProviderSession {
public:
    Session(Config config, const sdk::HostServices& host)
        : config_(std::move(config)), logger_(host.logger), metrics_(host.metrics) {}

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

    struct OpenFolder;
    sdk::Status report(const OpenFolder& folder, const FolderContents& contents,
                       sdk::ItemSink& sink, const std::stop_token& stop);
    /// Nothing: the message left meanwhile.
    sdk::Result<std::optional<sdk::Item>> describe(const OpenFolder& folder,
                                                   const FolderContents::File& file,
                                                   const std::stop_token& stop);
    sdk::Result<FileDescriptor> find_message(const AccountLayout& account,
                                             const std::string& item_id,
                                             const std::stop_token& stop);

    const Config config_;
    sdk::Logger& logger_;
    sdk::Metrics& metrics_;
    PlaceCache places_;
    std::mutex mutex_;  // guards accounts_
    /// Shared with the calls that are using it while discover() replaces it.
    std::shared_ptr<const Accounts> accounts_;
};

}  // namespace openarchiver::mailfiles
