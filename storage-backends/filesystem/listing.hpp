#pragma once

#include <sys/stat.h>

#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>
#include <string_view>

namespace openarchiver::filesystem {

/// ObjectStore::list() below `root`. Holds the names of one folder for each level, not the tree.
sdk::Status list_objects(const std::string& root, std::string_view prefix,
                         std::string_view start_after, sdk::ObjectListSink& sink,
                         std::stop_token stop);

/// The time of the last change of a file's content.
[[nodiscard]] sdk::Timestamp modified_at(const struct stat& status);

}  // namespace openarchiver::filesystem
