#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/graph_client.hpp"

namespace openarchiver::microsoft365 {

/// Spares polls of folders that show no change. One listing tells the counts (all items and unread
/// ones) of up to 100 folders with the same parent; a folder whose counts are what they were before
/// the poll that gave its cursor waits.
///
/// Counts don't show that as many came as left, nor a change in place. So Inbox and Sent Items are
/// always polled, and every other folder before `max_lag` is over.
///
/// All of it is remembered for as long as the session lives, and by the cursor: whoever comes with
/// another one gets a poll. Safe for concurrent use by different accounts.
class QuietFolders {
public:
    QuietFolders(GraphClient& graph, sdk::Clock& clock, std::chrono::seconds max_lag)
        : graph_(graph), clock_(clock), max_lag_(max_lag) {}

    /// A pass over the account begins: reads the counts, once something was polled. What
    /// can't be read is polled. `folders` is the cursor of its folders; without one, all are
    /// polled.
    void begin_pass(RequestLimiter& mailbox, const std::string& account_id,
                    const std::optional<sdk::Cursor>& folders, const std::stop_token& stop);

    [[nodiscard]] bool is_quiet(const std::string& account_id, const std::string& folder_id,
                                const sdk::Cursor& cursor);
    /// The folder was polled to its end, which gave `cursor`.
    void polled(const std::string& account_id, const std::string& folder_id,
                const sdk::Cursor& cursor);

private:
    using Id = std::uint64_t;  // hash of a folder's id
    using SteadyTime = std::chrono::steady_clock::time_point;

    struct Counts {
        std::uint64_t items = 0;
        std::uint64_t unread = 0;
        bool operator==(const Counts&) const = default;
    };

    struct Poll {
        std::optional<Counts> before;
        std::uint64_t cursor = 0;  // its hash
        SteadyTime at;
    };

    /// A folder with folders below it, as it was listed last.
    struct Parent {
        std::uint64_t child_count = 0;
        std::vector<Id> children;
    };

    struct Account {
        std::unordered_map<Id, Counts> counts;  ///< of this pass
        std::unordered_map<Id, Poll> polls;
        std::unordered_map<Id, Parent> parents;
        std::unordered_set<Id> always_polled;
    };

    struct ParentToRead {
        std::string id;  ///< empty: the root
        std::uint64_t child_count = 0;
    };

    Account& account(const std::string& account_id);
    /// Reads the counts directly below a parent; returns those parents below it that are worth it.
    sdk::Result<std::vector<ParentToRead>> read_below(RequestLimiter& mailbox,
                                                      const std::string& account_id,
                                                      const ParentToRead& parent, Account& account,
                                                      const std::stop_token& stop);
    /// Reading the counts below it takes fewer requests than polling what is below it.
    static bool saves_requests(const Account& account, Id parent);

    GraphClient& graph_;
    sdk::Clock& clock_;
    const std::chrono::milliseconds max_lag_;

    std::mutex mutex_;  // guards the map; an account is used by one call at a time
    std::unordered_map<std::string, Account> accounts_;
};

}  // namespace openarchiver::microsoft365
