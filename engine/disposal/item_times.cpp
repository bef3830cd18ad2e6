#include "disposal/item_times.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "catalog/item_matcher.hpp"

namespace openarchiver::disposal {

using profile::RetentionPolicy;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

/// What the time of a version is counted from.
sdk::Timestamp begin_of(const RetentionPolicy& policy, const catalog::VersionRecord& version) {
    const bool received = policy.counted_from == RetentionPolicy::From::received &&
                          version.received_at != sdk::Timestamp{};
    return received ? version.received_at : version.archived_at;
}

/// Asked about one item after another.
class ItemTimes {
public:
    static Result<ItemTimes> make(catalog::CatalogReader& catalog, const Policies& policies) {
        ItemTimes times(policies);
        for (const auto& policy : policies) {
            OPENARCHIVER_TRY(auto matcher,
                             catalog::ItemMatcher::make(catalog, {.sources = policy.sources,
                                                                  .accounts = policy.accounts,
                                                                  .folders = policy.folders}));
            times.matchers_.push_back(std::move(matcher));
        }
        return times;
    }

    Result<ItemTime> of(const ItemVersions& item) const {
        for (std::size_t number = 0; number < policies_->size(); ++number) {
            OPENARCHIVER_TRY(const bool covered, matchers_[number].matches(item.back()));
            if (!covered) {
                continue;
            }
            const auto& policy = (*policies_)[number];
            ItemTime time{.policy = number, .from = {}, .end = {}};
            for (const auto& version : item) {
                time.from = std::max(time.from, begin_of(policy, version));
            }
            if (policy.keep) {
                time.end = end_of(time.from, *policy.keep);
            }
            return time;
        }
        return ItemTime{};
    }

private:
    explicit ItemTimes(const Policies& policies) : policies_(&policies) {}

    const Policies* policies_;
    std::vector<catalog::ItemMatcher> matchers_;
};

}  // namespace

Status visit_items(catalog::CatalogReader& catalog, const Policies& policies,
                   const std::function<Status(const ItemVersions&, const ItemTime&)>& visit,
                   std::stop_token stop) {
    OPENARCHIVER_TRY(const auto times, ItemTimes::make(catalog, policies));
    ItemVersions item;
    const auto end_item = [&]() -> Status {
        const auto ended = std::exchange(item, {});
        if (ended.empty()) {
            return {};
        }
        OPENARCHIVER_TRY(const ItemTime time, times.of(ended));
        return visit(ended, time);
    };
    const auto version = [&](const catalog::VersionRecord& record) -> Status {
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        if (!item.empty() && item.front().item_key != record.item_key) {
            OPENARCHIVER_CHECK(end_item());
        }
        item.push_back(record);
        return {};
    };
    OPENARCHIVER_CHECK(catalog.visit_versions({}, version));
    return end_item();
}

sdk::Timestamp end_of(sdk::Timestamp from, RetentionPolicy::Time keep) {
    using namespace std::chrono;
    const auto day = floor<days>(from);
    year_month_day date = year_month_day(day) + months(keep.months);
    if (!date.ok()) {
        date = date.year() / date.month() / last;
    }
    return sys_days(date) + days(keep.days) + (from - day);
}

}  // namespace openarchiver::disposal
