#include "pipeline/forecast.hpp"

#include <algorithm>
#include <cmath>

namespace openarchiver::pipeline {

namespace {

/// Times of more contents than these fade.
constexpr double kRemembered = 256;

std::chrono::seconds rounded(Seconds time) {
    // Up, but not for what is left of a division.
    return std::chrono::seconds(static_cast<std::int64_t>(std::ceil(time.count() - 1e-6)));
}

}  // namespace

void Forecast::begin(const sdk::SessionLimits& limits, std::size_t new_accounts,
                     std::size_t other_accounts) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
    new_.to_come = new_accounts;
    others_.to_come = other_accounts;
}

void Forecast::account_begun(const std::string& account, bool is_new) {
    const std::lock_guard lock(mutex_);
    Kind& kind = is_new ? new_ : others_;
    kind.to_come -= std::min<std::size_t>(kind.to_come, 1);
    Progress progress;
    progress.is_new = is_new;
    progress.begun = Clock::now();
    accounts_[account] = progress;
}

void Forecast::announced(const std::string& account, std::uint64_t items) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account); found != accounts_.end()) {
        found->second.announced += items;
    }
}

void Forecast::wanted(const std::string& account) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account); found != accounts_.end()) {
        ++found->second.wanted;
    }
}

void Forecast::known(const std::string& account) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account);
        found != accounts_.end() && found->second.announced > 0) {
        --found->second.announced;
    }
}

void Forecast::listed(const std::string& account) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account); found != accounts_.end()) {
        found->second.listed = true;
    }
}

void Forecast::settled(const std::string& account) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account); found != accounts_.end()) {
        ++found->second.settled;
    }
}

void Forecast::account_ended(const std::string& account) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account); found != accounts_.end()) {
        Kind& kind = found->second.is_new ? new_ : others_;
        ++kind.ended;
        kind.ended_items += found->second.settled;
        accounts_.erase(found);
    }
}

void Forecast::took(Clock::duration time) {
    const std::lock_guard lock(mutex_);
    if (contents_ >= kRemembered) {
        contents_ /= 2;
        content_time_ /= 2;
    }
    contents_ += 1;
    content_time_ += time;
}

Forecast::View Forecast::view(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    View view;
    const bool known = contents_ > 0;
    const Seconds content = known ? content_time_ / contents_ : Seconds(0);
    Seconds longest(0);
    Seconds sum(0);
    double accounts = 0;
    Kind seen[] = {others_, new_};
    std::size_t begun[] = {others_.ended, new_.ended};
    for (const auto& [id, progress] : accounts_) {
        const std::uint64_t expected = progress.expected();
        const auto left = static_cast<double>(expected - std::min(expected, progress.settled));
        seen[progress.is_new ? 1 : 0].ended_items += expected;
        ++begun[progress.is_new ? 1 : 0];
        Account& account = view.accounts.emplace_back();
        account.id = id;
        account.done = progress.settled;
        account.expected = expected;
        if (known) {
            const Seconds time =
                time_needed(left, content, limits_, static_cast<double>(progress.settled),
                            now - progress.begun);
            account.left = rounded(time);
            longest = std::max(longest, time);
            sum += time;
            accounts += 1;
        }
    }
    if (!known) {
        return view;
    }
    for (std::size_t kind = 0; kind < 2; ++kind) {
        if (seen[kind].to_come == 0) {
            continue;
        }
        // Others that nobody has looked at yet are taken to have nothing new.
        const double each = begun[kind] == 0 ? 0
                                             : static_cast<double>(seen[kind].ended_items) /
                                                   static_cast<double>(begun[kind]);
        const Seconds time = time_needed(each, content, limits_);
        longest = std::max(longest, time);
        sum += time * static_cast<double>(seen[kind].to_come);
        accounts += static_cast<double>(seen[kind].to_come);
    }
    view.left = rounded(time_needed(longest, sum, accounts, limits_));
    return view;
}

}  // namespace openarchiver::pipeline
