#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/provider.hpp>
#include <string>

#include "account.hpp"
#include "folder_watch.hpp"

namespace openarchiver::imap {

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
    sdk::Result<Account*> account(const std::string& account_id);
    /// Opens a message where it is said to be: not_found where it is not.
    static sdk::Result<std::unique_ptr<sdk::ByteReader>> open_at(Account& account,
                                                                 const MessagePlace& place,
                                                                 const std::stop_token& stop);
    static sdk::Result<MessagePlace> find(Account& account, const std::string& item_id,
                                          const std::stop_token& stop);

    Shared shared_;
    std::map<std::string, std::unique_ptr<Account>> accounts_;  // as configured
    FolderWatches watches_;
};

}  // namespace openarchiver::imap
