#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>

namespace openarchiver::archive {
class Archive;
}

namespace openarchiver::search {

struct IndexerOptions {
    bool attachments = true;  ///< their text, too
    /// Processes that read texts; 0: as many as the machine has cores, four at most.
    unsigned extractors = 0;
};

/// Follows the catalog: puts the text of its versions into the search index, in the order in which
/// they came. All its threads and processes have a low priority: the import comes first. Used by
/// one thread.
class Indexer {
public:
    Indexer(std::filesystem::path catalog_folder, IndexerOptions options);
    ~Indexer();
    Indexer(const Indexer&) = delete;
    Indexer& operator=(const Indexer&) = delete;

    /// Indexes what the catalog has and the index has not; returns early at `until`. `progress` is
    /// told how many versions were added by this call. An error leaves the index as far as it is;
    /// call again later.
    sdk::Status catch_up(archive::Archive& archive,
                         std::optional<std::chrono::steady_clock::time_point> until,
                         const std::function<void(std::uint64_t added)>& progress,
                         std::stop_token stop);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::search
