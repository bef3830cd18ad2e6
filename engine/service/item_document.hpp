#pragma once

#include <map>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog_reader.hpp"

namespace openarchiver::service {

/// An archived item with all that is told of it.
struct ItemWithHistory {
    std::vector<catalog::VersionRecord> versions;  // oldest first, at least one
    std::vector<std::vector<std::string>> folders;
    std::vector<catalog::HistoryRecord> history;
    std::map<std::int64_t, std::vector<std::string>> paths;  // by folder key
};

/// not_found: no item has this ref.
[[nodiscard]] sdk::Result<ItemWithHistory> load_item(catalog::CatalogReader& catalog,
                                                     const std::string& ref);
[[nodiscard]] std::string_view to_text(catalog::HistoryKind kind);
/// The document of `show --json`.
[[nodiscard]] std::string item_document(const ItemWithHistory& item);

}  // namespace openarchiver::service
