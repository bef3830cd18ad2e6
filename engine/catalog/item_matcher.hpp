#pragma once

#include <openarchiver/sdk/result.hpp>
#include <string_view>
#include <unordered_set>

#include "catalog/catalog_reader.hpp"

namespace openarchiver::catalog {

/// By its id, or by its address without regard to case.
[[nodiscard]] bool is_named(std::string_view id, std::string_view address, std::string_view name);

/// invalid_argument: there is no account or folder that the filter names.
[[nodiscard]] sdk::Status check_names(CatalogReader& catalog, const ItemFilter& filter);

/// Tells which items a filter lets through, with the folders that it names as they are now. Refers
/// to the catalog.
class ItemMatcher {
public:
    static sdk::Result<ItemMatcher> make(CatalogReader& catalog, ItemFilter filter);

    [[nodiscard]] sdk::Result<bool> matches(const VersionRecord& version) const;

    [[nodiscard]] const ItemFilter& filter() const { return filter_; }

private:
    ItemMatcher(CatalogReader& catalog, ItemFilter filter)
        : catalog_(&catalog), filter_(std::move(filter)) {}

    CatalogReader* catalog_;
    ItemFilter filter_;
    std::unordered_set<std::int64_t> folders_;
};

}  // namespace openarchiver::catalog
