#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "archive/segment.hpp"
#include "catalog/records.hpp"

namespace openarchiver::catalog {

/// Reads a catalog, beside a writer. Safe for concurrent use, one query at a time; open several
/// where that matters.
class CatalogReader {
public:
    /// not_found: there is no catalog; corrupt: damaged (the message offers rebuild); unsupported:
    /// newer tables.
    static sdk::Result<std::unique_ptr<CatalogReader>> open(const std::filesystem::path& folder);
    ~CatalogReader();

    [[nodiscard]] const std::filesystem::path& folder() const;
    sdk::Result<std::string> archive_id();
    /// Of this very catalog: one that was made anew has another.
    sdk::Result<std::string> catalog_id();
    /// Every writer whose segments were applied, and how far.
    sdk::Result<std::vector<std::pair<std::string, archive::LogPosition>>> positions();

    sdk::Result<std::vector<SourceRecord>> sources();
    /// not_found where the source was never synced.
    sdk::Result<SourceRecord> source(std::string_view id);
    sdk::Result<std::vector<AccountRecord>> accounts(std::string_view source);
    /// Folders that are gone included (`removed_at`); paths are filled in.
    sdk::Result<std::vector<FolderRecord>> folders(std::int64_t account_key);

    /// The folders (of any account) that lie at or below one of the paths, by key.
    sdk::Result<std::vector<std::int64_t>> folders_at(const std::vector<std::string>& paths,
                                                      const std::vector<std::string>& ids);

    sdk::Result<std::optional<KnownItem>> find_item(std::int64_t account_key,
                                                    std::string_view item_id,
                                                    std::string_view folder_id);
    /// The items in a folder, by key, in no order.
    sdk::Status visit_folder(std::int64_t folder_key,
                             const std::function<void(std::int64_t key, std::string id)>& visit);

    sdk::Result<ItemCounts> account_counts(std::int64_t account_key);
    /// Of the account's folders, by key, where there is anything to count.
    sdk::Result<std::unordered_map<std::int64_t, FolderCounts>> folder_counts(
        std::int64_t account_key);
    /// Items in the folder now.
    sdk::Result<std::uint64_t> folder_count(std::int64_t folder_key);
    sdk::Result<Totals> totals();

    /// Versions of the items that the filter lets through, in the order in which they were
    /// archived. An error of `visit` ends it.
    sdk::Status visit_versions(const ItemFilter& filter,
                               const std::function<sdk::Status(const VersionRecord&)>& visit,
                               VersionPosition after = {});
    /// The next versions in the order in which they came into the catalog, up to `limit`.
    sdk::Result<std::vector<VersionRecord>> versions_after(const VersionMark& mark,
                                                           std::size_t limit);
    /// Of these accounts (empty: of all).
    sdk::Result<std::uint64_t> count_after(const VersionMark& mark,
                                           const std::vector<std::int64_t>& account_keys);
    /// Nothing: there is none, or not any more.
    sdk::Result<std::optional<VersionRecord>> find_version(std::int64_t item_key,
                                                           std::int64_t version);
    /// The versions of one item, oldest first; not_found where there is no such ref, or none any
    /// more: the message says by what it was disposed of.
    sdk::Result<std::vector<VersionRecord>> versions(std::string_view ref);
    /// not_found: an earlier engine archived it, without a leaf.
    sdk::Result<LeafRecord> leaf_of(std::int64_t item_key, std::int64_t version);
    /// not_found: there is no such disposal.
    sdk::Result<LeafRecord> leaf_of_disposal(std::string_view id);
    /// The notes of heads; absent: there is none.
    sdk::Result<std::optional<std::string>> newest_head();
    sdk::Result<std::optional<std::string>> head(std::uint64_t number);
    /// Of the tree, as evidence::Subtree.
    sdk::Result<archive::Digest> subtree(unsigned height, std::uint64_t index);

    sdk::Result<std::vector<HistoryRecord>> history(std::int64_t item_key);
    /// The folders that hold the item; once it has left, the one that it was in last.
    sdk::Result<std::vector<std::int64_t>> folders_of(std::int64_t item_key);
    /// ... of several, in their order, which is cheaper than one after another.
    sdk::Result<std::vector<std::vector<std::int64_t>>> folders_of(
        const std::vector<std::int64_t>& item_keys);

    /// Where a version's content is now: packs may be replaced by others.
    sdk::Result<archive::StoredContent> stored(std::int64_t content_key);
    /// ... of several, in their order: all at one moment, and cheaper than one after another.
    sdk::Result<std::vector<archive::StoredContent>> stored(
        const std::vector<std::int64_t>& content_keys);
    sdk::Result<archive::PackInfo> pack(std::int64_t pack_key);
    /// The parts in a pack, by frame, each as many times as accounts hold it.
    sdk::Result<std::vector<PartRecord>> parts_in(const archive::Digest& pack);
    /// Packs of less than `size` bytes none of whose frames is full (`full_frame` decompressed
    /// bytes): no content goes on from one of their frames to the next; and whose lock by the
    /// store, as far as known, ends in this time. Oldest first.
    sdk::Result<std::vector<SmallPack>> small_packs(std::uint64_t size, std::uint64_t full_frame,
                                                    sdk::Timestamp lock_ends_from,
                                                    sdk::Timestamp lock_ends_until);
    /// Those that lose the most first.
    sdk::Result<std::vector<PackToRewrite>> packs_to_rewrite();
    /// The contents in a pack, by place.
    sdk::Result<std::vector<ContentInPack>> contents_in(std::int64_t pack_key);
    /// Nothing: the log names no such pack.
    sdk::Result<std::optional<PackRecord>> find_pack(const archive::Digest& id);
    /// When PacksCollected was last noted; 0: never.
    sdk::Result<sdk::Timestamp> packs_collected_at();
    /// As HistoryChecked has it.
    sdk::Result<std::string> history_problem();
    /// All that hold contents, and those that are locked beyond `now` or held although they do not.
    sdk::Result<std::vector<ProtectedPack>> protected_packs(sdk::Timestamp now);
    /// Of every content and (if asked for) every part the pack that it is in, by key.
    sdk::Status visit_places(
        const std::function<void(std::int64_t pack, std::int64_t content)>& content,
        const std::function<void(std::int64_t pack, std::int64_t part)>& part);
    /// Which contents have which parts, by key.
    sdk::Status visit_content_parts(
        const std::function<void(std::int64_t content, std::int64_t part)>& visit);
    sdk::Result<LocksRecord> locks();
    sdk::Status visit_packs(const std::function<sdk::Status(const archive::PackInfo&)>& visit);

    /// In the order in which they were placed, released ones included.
    sdk::Result<std::vector<HoldRecord>> holds();
    sdk::Result<std::vector<ForgottenRecord>> forgotten();
    /// Newest first.
    sdk::Result<std::vector<DisposalRecord>> disposals();
    /// Of the retention policies; nothing: there was none yet.
    sdk::Result<std::optional<ApprovalRecord>> approval();

    /// By id.
    sdk::Result<std::vector<KeptSource>> kept_sources();
    sdk::Result<std::vector<PausedSource>> paused_sources();

    /// The newest first, up to `limit`, those before the entry of that key (0: from the newest on).
    sdk::Result<std::vector<AuditRecord>> audit(const AuditFilter& filter, std::int64_t before,
                                                std::size_t limit);

    /// Failed items: all, or those of a source.
    sdk::Result<std::vector<FailureRecord>> failures(std::string_view source = {});

private:
    struct State;
    explicit CatalogReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::catalog
