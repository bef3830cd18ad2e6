#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace openarchiver::mailfiles {

/// Where the most recently listed messages of Maildirs lie: their ids do not tell, and searching
/// the folders for each would read them once for every message. Bounded; whatever is forgotten is
/// searched. Safe for concurrent use.
class PlaceCache {
public:
    struct Place {
        std::string root_name;
        /// Relative to the root: "/.Sent/cur/1700000000.M1.host:2,S".
        std::string file;
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
