#include "catalog/item_matcher.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace openarchiver::catalog {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

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

Status check_names(CatalogReader& catalog, const ItemFilter& filter) {
    std::vector<AccountRecord> accounts;
    OPENARCHIVER_TRY(const auto sources, catalog.sources());
    for (const auto& source : sources) {
        OPENARCHIVER_TRY(auto of_source, catalog.accounts(source.id));
        std::ranges::move(of_source, std::back_inserter(accounts));
    }
    for (const auto& name : filter.accounts) {
        if (std::ranges::none_of(accounts, [&](const AccountRecord& account) {
                return is_named(account.id, account.address, name);
            })) {
            return Error{Errc::invalid_argument, "no account has the id or address \"" + name +
                                                     "\"; `openarchiver accounts` lists them"};
        }
    }
    for (const auto& path : filter.folders) {
        OPENARCHIVER_TRY(const auto found, catalog.folders_at({path}, {}));
        if (found.empty()) {
            return Error{Errc::invalid_argument, "no folder has the path \"" + path +
                                                     "\"; `openarchiver folders` lists them"};
        }
    }
    return {};
}

Result<ItemMatcher> ItemMatcher::make(CatalogReader& catalog, ItemFilter filter) {
    ItemMatcher matcher(catalog, std::move(filter));
    if (!matcher.filter_.folders.empty()) {
        OPENARCHIVER_TRY(const auto folders,
                         catalog.folders_at(matcher.filter_.folders, matcher.filter_.folder_ids));
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
    const auto named = [&](std::int64_t folder) { return folders_.contains(folder); };
    if (f.past_folders) {
        OPENARCHIVER_TRY(const auto history, catalog_->history(version.item_key));
        if (std::ranges::any_of(history, named, &HistoryRecord::folder_key)) {
            return true;
        }
    }
    OPENARCHIVER_TRY(const auto folders, catalog_->folders_of(version.item_key));
    return std::ranges::any_of(folders, named);
}

}  // namespace openarchiver::catalog
