#pragma once

#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <vector>

namespace openarchiver::catalog {

/// Which items; empty members do not restrict.
struct ItemFilter {
    std::vector<std::string> sources = {};
    std::vector<std::string> accounts = {};  ///< ids or addresses
    /// Paths, display names joined by '/'; with what is below.
    std::vector<std::string> folders = {};
    std::vector<std::string> folder_ids =
        {};                     ///< these, too, with what is below, whatever their path
    bool past_folders = false;  ///< also items that have left those folders since
    std::string sender = {};    ///< part of the From header, without regard to case
    std::optional<sdk::Timestamp> since = {};  ///< received (or else archived) at or after
    std::optional<sdk::Timestamp> until = {};  ///< ... before
};

}  // namespace openarchiver::catalog
