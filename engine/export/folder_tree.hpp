#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/catalog_reader.hpp"

namespace openarchiver::exporter {

/// Where items are, by names.
struct Place {
    std::string source;
    /// What the account's folder is called.
    std::string account;
    /// Display names from below the root; empty: in no known folder.
    std::vector<std::string> folder;
    /// Whether the topmost of them is the account's inbox.
    bool in_inbox = false;
};

/// The names of accounts and folders, as the catalog has them when they are first asked for.
class FolderTree {
public:
    explicit FolderTree(catalog::CatalogReader& catalog) : catalog_(catalog) {}

    /// The places of a version whose item is in these folders, the first one first; never empty.
    sdk::Result<std::vector<Place>> places(const catalog::VersionRecord& version,
                                           const std::vector<std::int64_t>& in);

private:
    struct Folder {
        std::vector<std::string> path;
        bool in_inbox = false;
    };

    using Folders = std::unordered_map<std::int64_t, Folder>;

    sdk::Result<const Folders*> folders(std::int64_t account_key, std::int64_t wanted);
    sdk::Result<std::string> account_name(const catalog::VersionRecord& version);

    catalog::CatalogReader& catalog_;
    std::unordered_map<std::int64_t, Folders> folders_;                     // by account
    std::map<std::string, std::map<std::string, int>, std::less<>> names_;  // uses of an address
};

}  // namespace openarchiver::exporter
