#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "search/search.hpp"

/// Searches as --json and the HTTP API show them (docs/cli.md).
namespace openarchiver::service {

/// The folders of items, those of each account read once.
class ItemFolders {
public:
    explicit ItemFolders(catalog::CatalogReader& catalog) : catalog_(catalog) {}

    sdk::Result<std::vector<std::vector<std::string>>> of(const catalog::VersionRecord& version) {
        auto& paths = accounts_[version.account_key];
        if (paths.empty()) {
            OPENARCHIVER_TRY(const auto folders, catalog_.folders(version.account_key));
            for (const auto& folder : folders) {
                paths[folder.key] = folder.path;
            }
        }
        OPENARCHIVER_TRY(const auto keys, catalog_.folders_of(version.item_key));
        std::vector<std::vector<std::string>> found;
        for (const auto key : keys) {
            found.push_back(paths[key]);
        }
        return found;
    }

private:
    catalog::CatalogReader& catalog_;
    std::map<std::int64_t, std::map<std::int64_t, std::vector<std::string>>> accounts_;
};

[[nodiscard]] sdk::Result<boost::json::object> version_value(const catalog::VersionRecord& version,
                                                             ItemFolders& folders);
[[nodiscard]] sdk::Result<boost::json::object> hit_value(const search::Hit& hit,
                                                         ItemFolders& folders);
[[nodiscard]] boost::json::object coverage_value(const search::Coverage& coverage);
[[nodiscard]] boost::json::object counts_value(const search::Counts& counts);

}  // namespace openarchiver::service
