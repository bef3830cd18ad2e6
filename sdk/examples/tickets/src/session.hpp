#pragma once

#include <filesystem>
#include <openarchiver/sdk/provider.hpp>

namespace tickets {

namespace sdk = openarchiver::sdk;

/// Teams are accounts. A team's folders are its queues and its labels: a ticket is in its queue and
/// in the folder of each of its labels, its attachments are in the queue.
class Session final : public sdk::ProviderSession {
public:
    Session(std::filesystem::path database, const sdk::HostServices& host)
        : database_(std::move(database)), host_(host) {}

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
    /// The ticket system posts the id of a team where something changed.
    sdk::Result<sdk::WebhookAnswer> webhook(const sdk::WebhookRequest& request,
                                            std::stop_token stop) override;

private:
    std::filesystem::path database_;
    sdk::HostServices host_;
};

}  // namespace tickets
