#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <vector>

namespace openarchiver::mailfiles {

/// The folders in archives as they were last seen, so that an archive that did not change is not
/// unpacked in each run to list them. Kept in the session's folder; what is lost there is unpacked
/// once more. Safe for concurrent use.
class ContainerTrees {
public:
    explicit ContainerTrees(const std::filesystem::path& state_folder)
        : folder_(state_folder / "trees") {}

    /// `stamp` is the archive's: an older tree does not count.
    std::optional<std::vector<sdk::Folder>> find(const std::string& folder_id,
                                                 const std::string& stamp);
    void keep(const std::string& folder_id, const std::string& stamp,
              const std::vector<sdk::Folder>& folders);

private:
    struct Tree {
        std::string stamp;
        std::vector<sdk::Folder> folders;
    };

    [[nodiscard]] std::filesystem::path file_of(const std::string& folder_id) const;

    const std::filesystem::path folder_;
    std::mutex mutex_;  // guards trees_
    std::map<std::string, Tree> trees_;
};

}  // namespace openarchiver::mailfiles
