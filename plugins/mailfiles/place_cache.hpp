#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "mbox_reader.hpp"

namespace openarchiver::mailfiles {

/// Where the most recently listed messages lie whose ids do not tell: those of Maildirs, of mbox
/// and of PST files. Searching the folders for each would read them once for every message.
/// Bounded; whatever is forgotten is searched. Safe for concurrent use.
class PlaceCache {
public:
    struct Place {
        std::string root_name;
        /// Relative to the root: ".Sent/cur/1700000000.M1.host:2,S".
        std::string file;
        /// In the file, where that is an mbox.
        std::optional<MboxPlace> in_mbox = {};
        /// stamp_of() the mbox then.
        std::string stamp = {};
    };

    void remember(const std::string& account_id, const std::string& item_id, Place place);
    [[nodiscard]] std::optional<Place> find(const std::string& account_id,
                                            const std::string& item_id) const;

private:
    mutable std::mutex mutex_;  // guards the two below
    std::unordered_map<std::string, Place> places_;
    std::deque<std::string> order_;
};

}  // namespace openarchiver::mailfiles
