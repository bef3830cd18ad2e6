#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

/// The service that is read. REPLACE service.cpp with requests to yours; the session needs no more
/// than this of it. All calls are safe for concurrent use.
namespace @IDENTIFIER@ {

namespace sdk = openarchiver::sdk;

/// One entry of the service's list of changes.
struct Change {
    std::uint64_t sequence = 0;
    std::string item;
    std::uint64_t revision = 0;
    /// The item is no longer in this folder.
    bool left = false;
};

class Service {
public:
    explicit Service(std::filesystem::path root) : root_(std::move(root)) {}

    /// Errc::unavailable: the service does not answer.
    sdk::Result<std::vector<std::string>> accounts() const;
    /// Errc::not_found: no such account.
    sdk::Result<std::vector<std::string>> folders(const std::string& account) const;
    /// What changed in a folder after `sequence`, oldest first; after 0: everything in it.
    /// Errc::not_found: no such folder; cursor_expired: too long ago.
    sdk::Result<std::vector<Change>> changes(const std::string& account, const std::string& folder,
                                             std::uint64_t sequence) const;
    /// The newest revision of an item. Errc::not_found: no such item.
    sdk::Result<std::string> content(const std::string& account, const std::string& item) const;

private:
    struct Entry;
    sdk::Result<std::vector<Entry>> journal() const;

    std::filesystem::path root_;
};

}  // namespace @IDENTIFIER@
