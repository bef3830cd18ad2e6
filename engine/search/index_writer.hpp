#pragma once

#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <vector>

#include "catalog/records.hpp"
#include "search/document.hpp"

namespace openarchiver::search {

/// A version of an item with its text.
struct Entry {
    catalog::VersionRecord version;
    Document document;
};

[[nodiscard]] std::filesystem::path index_file(const std::filesystem::path& catalog_folder);

/// Writes the search index, a file of its own beside the catalog: `search.db`. One at a time, by
/// who has the catalog's lock; never within a transaction of the catalog.
class IndexWriter {
public:
    /// Opens the index, or makes it anew where there is none, or it is of another catalog, of other
    /// tables, or damaged.
    static sdk::Result<std::unique_ptr<IndexWriter>> open(
        const std::filesystem::path& catalog_folder);
    ~IndexWriter();
    IndexWriter(const IndexWriter&) = delete;
    IndexWriter& operator=(const IndexWriter&) = delete;

    /// Everything up to here is in the index, or was not there any more.
    [[nodiscard]] const catalog::VersionMark& mark() const;

    /// Adds what the catalog still has of `entries`, and moves the mark: both or neither.
    sdk::Status add(std::vector<Entry> entries, const catalog::VersionMark& mark);

    /// Takes out what the catalog does not have any more. True: there was something, or remains
    /// of it: scrub() has to follow.
    sdk::Result<bool> remove_stale(std::stop_token stop);
    /// Rewrites the index, so that the file has no remains of what was taken out.
    sdk::Status scrub(std::stop_token stop);

private:
    struct State;
    explicit IndexWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// After something was purged from the catalog: nothing of it is left in the index, if there is
/// one, on return. Safe beside a running indexer.
sdk::Status purge(const std::filesystem::path& catalog_folder, std::stop_token stop);

}  // namespace openarchiver::search
