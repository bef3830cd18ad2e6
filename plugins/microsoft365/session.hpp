#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <string>

#include "auth/token_source.hpp"
#include "changes/subscriptions.hpp"
#include "failure.hpp"
#include "graph/graph_client.hpp"
#include "http/http_client.hpp"
#include "mail/discovery.hpp"
#include "mail/folder_listing.hpp"
#include "mail/quiet_folders.hpp"
#include "settings.hpp"
#include "throttle/request_limiter.hpp"

namespace openarchiver::microsoft365 {

/// An opened Microsoft 365 source.
class Session final : public sdk::ProviderSession {
public:
    Session(Settings settings, const sdk::HostServices& host, RetrySettings retry = {});

    [[nodiscard]] sdk::SessionLimits limits() const override;
    sdk::Result<std::vector<sdk::Check>> check(std::stop_token stop) override;
    [[nodiscard]] std::optional<sdk::Timestamp> credentials_expire() const override;
    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>& cursor,
                                       sdk::AccountSink& sink, std::stop_token stop) override;
    sdk::Result<sdk::Account> find_account(const std::string& account_id,
                                           std::stop_token stop) override;
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
    sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_content(
        const std::string& account_id, const std::string& item_id, const sdk::Error& why,
        std::stop_token stop) override;
    sdk::Status probe(const std::string& account_id, std::stop_token stop) override;
    sdk::Result<sdk::WebhookAnswer> webhook(const sdk::WebhookRequest& request,
                                            std::stop_token stop) override;
    sdk::Result<sdk::Estimate> estimate(std::stop_token stop) override;

private:
    RequestLimiter& limiter_of(const std::string& account_id);

    const Settings settings_;
    const sdk::HostServices host_;
    HttpClient http_;
    RequestCeiling ceiling_;
    RequestLimiter directory_;
    TokenSource tokens_;
    GraphClient graph_;
    Discovery discovery_;
    FolderLister folder_lister_;
    QuietFolders quiet_folders_;

    std::mutex mutex_;  // guards limiters_
    std::map<std::string, std::unique_ptr<RequestLimiter>> limiters_;

    Subscriptions subscriptions_;  // last: its thread uses the rest
};

}  // namespace openarchiver::microsoft365
