#include "service/coverage.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "service/documents.hpp"

namespace openarchiver::service {

namespace json = boost::json;

namespace {

constexpr sdk::Timestamp kNever{};

std::uint64_t beyond(std::uint64_t all, std::uint64_t part) {
    return all - std::min(all, part);
}

}  // namespace

void Coverage::add(const Coverage& other) {
    upstream += other.upstream;
    archived += other.archived;
    excluded += other.excluded;
    failed += other.failed;
    pending += other.pending;
    unexplained += other.unexplained;
    folders_unknown += other.folders_unknown;
    if (other.counted_at != kNever && (counted_at == kNever || other.counted_at < counted_at)) {
        counted_at = other.counted_at;
    }
}

bool is_importing(const catalog::AccountRecord& account) {
    return account.first_pass_at == kNever;
}

Coverage coverage_of(const catalog::FolderRecord& folder, const catalog::FolderCounts& counts,
                     bool importing) {
    Coverage coverage;
    coverage.archived = counts.items;
    coverage.failed = counts.failed;
    coverage.counted_at = folder.counted_at;
    if (!folder.folder.item_count) {
        coverage.folders_unknown = 1;
        return coverage;
    }
    coverage.upstream = *folder.folder.item_count;
    const std::uint64_t rest = beyond(coverage.upstream, counts.items + counts.failed);
    if (!folder.folder.archived) {
        coverage.excluded = rest;
    } else if (folder.unexplained) {
        // As it was when it was compared: what came or left since is no loss.
        coverage.unexplained = *folder.unexplained;
    } else if (importing || folder.synced_at == kNever) {
        coverage.pending = rest;
    } else {
        coverage.folders_unknown = 1;
    }
    return coverage;
}

sdk::Result<Coverage> account_coverage(catalog::CatalogReader& catalog,
                                       const catalog::AccountRecord& account) {
    OPENARCHIVER_TRY(const auto folders, catalog.folders(account.key));
    OPENARCHIVER_TRY(const auto counts, catalog.folder_counts(account.key));
    Coverage sum;
    for (const catalog::FolderRecord& folder : folders) {
        if (folder.removed_at == kNever) {
            const auto found = counts.find(folder.key);
            sum.add(coverage_of(folder,
                                found == counts.end() ? catalog::FolderCounts() : found->second,
                                is_importing(account)));
        }
    }
    return sum;
}

json::value coverage_value(const Coverage& coverage) {
    return {{"upstream", coverage.upstream},
            {"archived", coverage.archived},
            {"excluded", coverage.excluded},
            {"failed", coverage.failed},
            {"pending", coverage.pending},
            {"unexplained", coverage.unexplained},
            {"folders_unknown", coverage.folders_unknown},
            {"counted_at", time_value(coverage.counted_at)}};
}

std::string_view folder_state(const catalog::FolderRecord& folder, bool importing) {
    if (folder.removed_at != kNever) {
        return "gone";
    }
    if (!folder.folder.archived) {
        return "excluded";
    }
    if (folder.error.at != kNever) {
        return "failed";
    }
    const bool on_its_way = importing && !folder.unexplained;
    return folder.synced_at == kNever || on_its_way ? "pending" : "up_to_date";
}

}  // namespace openarchiver::service
