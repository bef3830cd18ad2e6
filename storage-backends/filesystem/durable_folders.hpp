#pragma once

#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <unordered_set>

namespace openarchiver::filesystem {

/// Creates `path` and its missing parents, each durable in its own parent.
/// invalid_config: a file stands where a folder should be.
sdk::Status create_root(const std::string& path);

/// Makes sure that the folders of keys exist and survive a power cut. A folder that is there
/// already may not be durable yet (its creator died before its fsync), so each counts only after
/// this store has synced its parent once. Safe for concurrent use.
class DurableFolders {
public:
    explicit DurableFolders(std::string root) : root_(std::move(root)) {}

    /// `folder` is relative to the root ("packs/3f"), empty for the root itself.
    sdk::Status ensure(std::string_view folder);

    /// Somebody removed folders behind our back: trust none.
    void forget();

private:
    sdk::Status create(std::string_view folder);

    const std::string root_;
    std::mutex mutex_;  // guards known_
    std::unordered_set<std::string> known_;
};

}  // namespace openarchiver::filesystem
