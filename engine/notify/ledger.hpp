#pragma once

#include <map>
#include <openarchiver/sdk/model.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "notify/condition.hpp"
#include "notify/notification.hpp"
#include "profile/profile.hpp"

namespace openarchiver::notify {

/// How it goes with a target.
struct TargetState {
    struct Told {
        int degree = 0;
        sdk::Timestamp at;
    };

    sdk::Timestamp sent_at;        ///< 0: never
    sdk::Timestamp failing_since;  ///< 0: the last delivery succeeded
    std::string error;
    /// By the key of a condition: what it was told and not yet that it is over.
    std::map<std::string, Told, std::less<>> told;
};

/// Which conditions there are since when, and what each target knows of them. What is due follows
/// from both: nothing is queued, so a target that was down is told how things stand, not what they
/// were. Not safe for concurrent use.
class Ledger {
public:
    /// At most so many in one notification; the rest comes with the next.
    static constexpr std::size_t kMostNotices = 50;

    /// `text` is what to_json() of an earlier one gave; what can't be read counts as nothing.
    /// `settings` outlives it.
    Ledger(const profile::Notifications& settings, std::string_view text);

    void observe(const Observation& observation, sdk::Timestamp now);
    /// What the target has to be told now, without the accounts.
    [[nodiscard]] std::vector<Notice> due(const profile::NotificationTarget& target,
                                          sdk::Timestamp now) const;
    void record_sent(const std::string& target, const std::vector<Notice>& notices,
                     sdk::Timestamp now);
    void record_failed(const std::string& target, const std::string& error, sdk::Timestamp now);

    [[nodiscard]] const std::map<std::string, TargetState>& targets() const { return targets_; }

    [[nodiscard]] std::string to_json() const;

private:
    struct Watched {
        Condition condition;
        sdk::Timestamp since;
        sdk::Timestamp over_since;  ///< 0: it holds
    };

    [[nodiscard]] bool is_over(const Watched& watched, sdk::Timestamp now) const;
    void drop(const Observation& observation, sdk::Timestamp now);

    const profile::Notifications& settings_;
    std::map<std::string, Watched> watched_;
    std::map<std::string, TargetState> targets_;
};

}  // namespace openarchiver::notify
