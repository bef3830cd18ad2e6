#pragma once

#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>

#include "folder_tree.hpp"
#include "place_cache.hpp"

namespace openarchiver::mailfiles {

/// What open_content() does: finds an item by its id (folder_listing.hpp) and opens it.
class MessageFinder {
public:
    MessageFinder(const AccountLayout& account, const TreeServices& services, PlaceCache& places,
                  sdk::Metrics& metrics, const std::stop_token& stop)
        : account_(account), services_(services), places_(places), metrics_(metrics), stop_(stop) {}

    /// not_found: it is gone; corrupt: it was reported as failed, and still is.
    sdk::Result<std::unique_ptr<sdk::ByteReader>> open(const std::string& item_id);

private:
    using Reader = sdk::Result<std::unique_ptr<sdk::ByteReader>>;

    Reader open_by_path(const std::string& item_id);
    Reader open_in_maildir(const std::string& item_id);
    Reader open_by_digest(const std::string& item_id);
    /// As it was listed last; not_found: it is not there any more.
    Reader open_remembered(const std::string& item_id, const std::string& digest);
    /// Of the folders of the account, the first one that has it. Remembers where.
    sdk::Status search(const std::string& item_id);

    const AccountLayout& account_;
    const TreeServices& services_;
    PlaceCache& places_;
    sdk::Metrics& metrics_;
    const std::stop_token& stop_;
};

}  // namespace openarchiver::mailfiles
