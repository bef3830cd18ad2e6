#pragma once

#include <openarchiver/sdk/provider.hpp>

#include "messages.hpp"
#include "program_pool.hpp"

namespace openarchiver::subprocess {

/// Calls of the contract as requests to programs. No program is held while a sink is called: a page
/// is read whole first.
class Session final : public sdk::ProviderSession {
public:
    Session(Settings settings, const sdk::HostServices& host)
        : programs_(std::move(settings), host) {}

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
    /// One page of a listing. `more`: from the page before.
    template <typename Page>
    sdk::Result<Page> page(std::string_view call, const boost::json::object& parameters,
                           const std::optional<std::string>& more,
                           sdk::Result<Page> (*parse)(const boost::json::object&),
                           const std::stop_token& stop);

    ProgramPool programs_;
};

}  // namespace openarchiver::subprocess
