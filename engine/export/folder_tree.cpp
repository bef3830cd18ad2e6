#include "export/folder_tree.hpp"

#include <algorithm>
#include <utility>

namespace openarchiver::exporter {

using sdk::Result;

namespace {

// Beyond so many accounts their folders are read again rather than kept.
constexpr std::size_t kMaxAccounts = 256;

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return text;
}

}  // namespace

Result<const FolderTree::Folders*> FolderTree::folders(std::int64_t account_key,
                                                       std::int64_t wanted) {
    if (const auto known = folders_.find(account_key);
        known != folders_.end() && known->second.contains(wanted)) {
        return &known->second;
    }
    if (folders_.size() >= kMaxAccounts) {
        folders_.clear();
    }
    OPENARCHIVER_TRY(const auto records, catalog_.folders(account_key));
    std::unordered_map<std::string, const catalog::FolderRecord*> by_id;
    for (const auto& record : records) {
        by_id[record.folder.id] = &record;
    }
    Folders folders;
    for (const auto& record : records) {
        const auto* top = &record;
        for (std::size_t steps = 1; steps < record.path.size(); ++steps) {
            top = by_id[top->folder.parent_id];
        }
        folders[record.key] = {record.path, top->folder.well_known_name == "inbox"};
    }
    return &(folders_[account_key] = std::move(folders));
}

Result<std::string> FolderTree::account_name(const catalog::VersionRecord& version) {
    auto uses = names_.find(version.source);
    if (uses == names_.end()) {
        OPENARCHIVER_TRY(const auto accounts, catalog_.accounts(version.source));
        uses = names_.emplace(version.source, std::map<std::string, int>()).first;
        for (const auto& account : accounts) {
            ++uses->second[lower(account.address)];
        }
    }
    if (version.address.empty()) {
        return version.account;
    }
    // An address may have belonged to several accounts, one after another.
    return uses->second[lower(version.address)] > 1 ? version.address + " (" + version.account + ")"
                                                    : version.address;
}

Result<std::vector<Place>> FolderTree::places(const catalog::VersionRecord& version,
                                              const std::vector<std::int64_t>& in) {
    OPENARCHIVER_TRY(const std::string account, account_name(version));
    std::vector<Place> places;
    for (const std::int64_t key : in) {
        OPENARCHIVER_TRY(const Folders* known, folders(version.account_key, key));
        if (const auto folder = known->find(key); folder != known->end()) {
            places.push_back(
                {version.source, account, folder->second.path, folder->second.in_inbox});
        }
    }
    if (places.empty()) {
        places.push_back({version.source, account, {}, false});
    }
    return places;
}

}  // namespace openarchiver::exporter
