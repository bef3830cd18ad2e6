#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "changes/notification_documents.hpp"
#include "changes/notification_proof.hpp"
#include "graph/graph_client.hpp"
#include "graph/graph_documents.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// Microsoft's change notifications: one subscription for each account that is archived, which
/// wakes it when mail comes (https://learn.microsoft.com/graph/change-notifications-overview).
/// They only say that there is news; what there is, the schedule finds as well. So whatever fails
/// here delays, and is told once in the log and by counters.
///
/// A thread of its own makes, renews and ends them, one request at a time, so that no import waits.
/// Nothing is kept: after a restart they are found again at the service, which lists those of the
/// application. Of these, only the ones that send to this source's own address are touched.
class Subscriptions {
public:
    Subscriptions(GraphClient& graph, const Credentials& credentials, const Settings& settings,
                  const sdk::HostServices& host, RequestCeiling& ceiling);
    Subscriptions(const Subscriptions&) = delete;
    Subscriptions& operator=(const Subscriptions&) = delete;

    /// Begins to work; calls after the first one do nothing.
    void start();

    /// The account was visited, and is archived.
    void archived(const std::string& account_id);
    /// It is not, or not any more.
    void not_archived(std::string_view account_id);
    /// These are all accounts there are.
    void only(const std::unordered_set<std::string>& account_ids);

    /// sdk::ProviderSession::webhook().
    sdk::Result<sdk::WebhookAnswer> take(const sdk::WebhookRequest& request);

private:
    using SteadyTime = std::chrono::steady_clock::time_point;

    enum class Mode : std::uint8_t {
        idle,   ///< nobody listens, or can be reached
        clean,  ///< switched off: what is still subscribed is ended
        work,
    };

    struct Account {
        /// Visited and archived; accounts of subscriptions that were found are not known to be.
        bool archived = false;
        bool dropped = false;
        SteadyTime visited_at;
        std::string subscription;  ///< its id; empty: none
        SteadyTime expires;
        std::optional<SteadyTime> due;
        std::uint32_t failures = 0;
    };

    enum class Task : std::uint8_t { list, end_orphan, create, renew, end };

    struct Work {
        Task task = Task::list;
        std::string account;
        std::string subscription;
    };

    [[nodiscard]] Mode mode() const;
    sdk::Result<const NotificationProof*> proof();

    void run(const std::stop_token& stop);
    /// What is to be done next, waiting for it; nothing when it is to stop.
    std::optional<Work> next(const std::stop_token& stop);
    void perform(const NotificationProof& proof, const Work& work, const std::stop_token& stop);
    void list(const NotificationProof& proof, const std::stop_token& stop);
    void create(const NotificationProof& proof, const std::string& account_id,
                const std::stop_token& stop);
    void renew(const Work& work, const std::stop_token& stop);
    void end(const Work& work, const std::stop_token& stop);

    // With mutex_ held.
    void adopt(const NotificationProof& proof, const SubscriptionEntry& entry);
    void schedule(const std::string& account_id, Account& account, std::optional<SteadyTime> due);
    /// At half of what is left of its life.
    void schedule_renewal(const std::string& account_id, Account& account);
    void subscribed(const std::string& account_id, Account& account,
                    const SubscriptionEntry& entry);
    void drop(const std::string& account_id, Account& account);
    [[nodiscard]] bool is_wanted(const Account& account) const;

    /// Whether the account is to be woken.
    bool heed(const std::string& account_id, const Notification& notification);
    void succeeded();
    /// `reason` is what it is counted as, `account_id` whose subscription it was, if anybody's.
    void failed(std::string_view reason, const std::string& account_id, const sdk::Error& error);
    void refused(const std::string& account_id, const GraphFailure& answer, std::string_view what);
    void count(std::string_view event);

    GraphClient& graph_;
    const Credentials& credentials_;
    const Settings& settings_;
    const sdk::HostServices host_;
    RequestLimiter limiter_;
    RequestLimiter lists_;

    std::mutex proof_mutex_;  // guards proof_
    std::optional<NotificationProof> proof_;

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::map<std::string, Account, std::less<>> accounts_;
    std::set<std::pair<SteadyTime, std::string>> due_;  ///< of accounts_
    std::vector<std::string> orphans_;  ///< subscriptions of ours without an account
    bool list_due_ = true;
    SteadyTime listed_at_;
    SteadyTime paused_until_;
    std::uint32_t failures_ = 0;                           ///< in a row
    std::map<std::string, SteadyTime, std::less<>> told_;  ///< reasons
    bool trouble_ = false;

    std::once_flag started_;
    std::jthread thread_;  // last: ends before the rest
};

}  // namespace openarchiver::microsoft365
