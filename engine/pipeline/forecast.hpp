#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/time_needed.hpp"

namespace openarchiver::pipeline {

/// How long a sync run will go on, as far as can be said: from what listings said is there, from
/// how long contents take, and from the service's limits. Safe for concurrent use.
class Forecast {
public:
    using Clock = std::chrono::steady_clock;

    struct Account {
        std::string id;
        std::uint64_t done = 0;
        std::uint64_t expected = 0;
        std::optional<std::chrono::seconds> left;  ///< absent: unknown
    };

    struct View {
        std::optional<std::chrono::seconds> left;  ///< absent: unknown
        std::vector<Account> accounts;             ///< those under way
    };

    /// The run will visit so many accounts that were never archived completely, and so many others.
    void begin(const sdk::SessionLimits& limits, std::size_t new_accounts,
               std::size_t other_accounts);

    void account_begun(const std::string& account, bool is_new);
    /// Folders to be listed whole hold so many items, according to the service.
    void announced(const std::string& account, std::uint64_t items);
    /// One more content has to be fetched.
    void wanted(const std::string& account);
    /// An announced item is archived already.
    void known(const std::string& account);
    /// All folders were listed: from now on nothing but what is wanted counts.
    void listed(const std::string& account);
    /// A content was fetched, or it turned out that it can't be.
    void settled(const std::string& account);
    void account_ended(const std::string& account);

    /// A content took so long, waits for throttling left out.
    void took(Clock::duration time);

    [[nodiscard]] View view(Clock::time_point now = Clock::now()) const;

private:
    struct Progress {
        bool is_new = false;
        bool listed = false;
        std::uint64_t announced = 0;
        std::uint64_t wanted = 0;
        std::uint64_t settled = 0;
        Clock::time_point begun;

        [[nodiscard]] std::uint64_t expected() const {
            return listed ? wanted : std::max(announced, wanted);
        }
    };

    /// Accounts of a kind: those still to come are taken to be like those that were begun.
    struct Kind {
        std::size_t to_come = 0;
        std::size_t ended = 0;
        std::uint64_t ended_items = 0;
    };

    mutable std::mutex mutex_;  // guards everything below
    sdk::SessionLimits limits_;
    std::map<std::string, Progress> accounts_;
    Kind new_;
    Kind others_;
    double contents_ = 0;  ///< of late
    Seconds content_time_{0};
};

}  // namespace openarchiver::pipeline
