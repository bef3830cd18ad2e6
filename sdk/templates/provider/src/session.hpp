#pragma once

#include <openarchiver/sdk/provider.hpp>

#include "service.hpp"

namespace @IDENTIFIER@ {

/// What the engine asks of a source.
class Session final : public sdk::ProviderSession {
public:
    explicit Session(Service service) : service_(std::move(service)) {}

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

private:
    Service service_;
};

}  // namespace @IDENTIFIER@
