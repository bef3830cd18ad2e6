#include "catalog/item_matcher.hpp"

#include <algorithm>

namespace openarchiver::catalog {

using sdk::Result;

namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool contains_text(std::string_view text, std::string_view part) {
    return !std::ranges::search(text, part, {}, lower, lower).empty();
}

}  // namespace

bool is_named(std::string_view id, std::string_view address, std::string_view name) {
    return id == name || std::ranges::equal(address, name, {}, lower, lower);
}

Result<ItemMatcher> ItemMatcher::make(CatalogReader& catalog, ItemFilter filter) {
    ItemMatcher matcher(catalog, std::move(filter));
    if (!matcher.filter_.folders.empty()) {
        OPENARCHIVER_TRY(const auto folders, catalog.folders_at(matcher.filter_.folders));
        matcher.folders_.insert(folders.begin(), folders.end());
    }
    return matcher;
}

Result<bool> ItemMatcher::matches(const VersionRecord& version) const {
    const auto& f = filter_;
    const auto time =
        version.received_at == sdk::Timestamp{} ? version.archived_at : version.received_at;
    const bool source =
        f.sources.empty() || std::ranges::find(f.sources, version.source) != f.sources.end();
    const bool account =
        f.accounts.empty() || std::ranges::any_of(f.accounts, [&](const std::string& name) {
            return is_named(version.account, version.address, name);
        });
    if (!source || !account || (!f.sender.empty() && !contains_text(version.from, f.sender)) ||
        (f.since && time < *f.since) || (f.until && time >= *f.until)) {
        return false;
    }
    if (f.folders.empty()) {
        return true;
    }
    OPENARCHIVER_TRY(const auto folders, catalog_->folders_of(version.item_key));
    return std::ranges::any_of(folders, [&](std::int64_t key) { return folders_.contains(key); });
}

}  // namespace openarchiver::catalog
