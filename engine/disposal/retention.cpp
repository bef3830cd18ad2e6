#include "disposal/retention.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <deque>
#include <optional>

#include "archive/digest.hpp"
#include "catalog/item_matcher.hpp"
#include "disposal/hold.hpp"
#include "search/index_writer.hpp"

namespace openarchiver::disposal {

namespace json = boost::json;
using profile::RetentionPolicy;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

json::array texts(const std::vector<std::string>& values) {
    return json::array(values.begin(), values.end());
}

/// What the time of a version is counted from.
sdk::Timestamp begin_of(const RetentionPolicy& policy, const catalog::VersionRecord& version) {
    const bool received = policy.counted_from == RetentionPolicy::From::received &&
                          version.received_at != sdk::Timestamp{};
    return received ? version.received_at : version.archived_at;
}

/// The items of a catalog, one after another.
class DueItems {
public:
    DueItems(catalog::CatalogReader& catalog, const Policies& policies, sdk::Timestamp now,
             const VisitDue& visit)
        : catalog_(catalog), policies_(policies), now_(now), visit_(visit) {
        effect_.policies.resize(policies.size());
    }

    Status prepare(std::stop_token stop) {
        OPENARCHIVER_TRY(holds_, HoldsInForce::read(catalog_, std::move(stop)));
        for (const auto& policy : policies_) {
            OPENARCHIVER_TRY(auto matcher,
                             catalog::ItemMatcher::make(catalog_, {.sources = policy.sources,
                                                                   .accounts = policy.accounts,
                                                                   .folders = policy.folders}));
            matchers_.push_back(std::move(matcher));
        }
        return {};
    }

    /// Versions of an item come one after another.
    Status version(const catalog::VersionRecord& version) {
        if (!item_.empty() && item_.front().item_key != version.item_key) {
            OPENARCHIVER_CHECK(end_of_item());
        }
        item_.push_back(version);
        return {};
    }

    Result<RetentionEffect> end() {
        OPENARCHIVER_CHECK(end_of_item());
        return std::move(effect_);
    }

private:
    Status end_of_item() {
        const auto item = std::exchange(item_, {});
        if (item.empty()) {
            return {};
        }
        std::size_t number = 0;
        for (; number < policies_.size(); ++number) {
            OPENARCHIVER_TRY(const bool covered, matchers_[number].matches(item.back()));
            if (covered) {
                break;
            }
        }
        if (number == policies_.size()) {
            ++effect_.uncovered_items;
            return {};
        }
        const auto& policy = policies_[number];
        auto& effect = effect_.policies[number];
        ++effect.items;
        sdk::Timestamp from{};
        for (const auto& version : item) {
            from = std::max(from, begin_of(policy, version));
        }
        if (!policy.keep || now_ < disposal::end_of(from, *policy.keep)) {
            return {};
        }
        OPENARCHIVER_TRY(const auto holds, holds_.over(item));
        if (!holds.empty()) {
            ++effect.held_items;
            return {};
        }
        auto due = disposable(item);
        ++effect.due_items;
        effect.due_versions += due.versions;
        effect.due_bytes += due.bytes;
        effect.oldest = effect.oldest == sdk::Timestamp{} ? from : std::min(effect.oldest, from);
        effect.newest = std::max(effect.newest, from);
        return visit_(number, std::move(due));
    }

    catalog::CatalogReader& catalog_;
    const Policies& policies_;
    const sdk::Timestamp now_;
    const VisitDue& visit_;
    HoldsInForce holds_;
    std::vector<catalog::ItemMatcher> matchers_;
    std::vector<catalog::VersionRecord> item_;  // the versions of one, so far
    RetentionEffect effect_;
};

/// Approved already, or now.
Status approve(const Policies& policies, const ApplyRequest& request,
               catalog::CatalogReader& catalog, pipeline::Committer& committer, sdk::Clock& clock,
               std::stop_token stop) {
    const std::string definition = definition_of(policies);
    const std::string code = approval_code(definition);
    OPENARCHIVER_TRY(const auto approval, catalog.approval());
    if (!request.approve.empty() && request.approve != code) {
        return Error{Errc::invalid_argument,
                     "\"" + request.approve +
                         "\" is not the code of the retention policies as they are now: run "
                         "`openarchiver retention simulate` and look at what they would do"};
    }
    if (approval && approval->definition == definition) {
        return {};
    }
    if (request.approve.empty()) {
        return Error{Errc::invalid_argument,
                     std::string("the retention policies ") +
                         (approval ? "have changed since they were approved"
                                   : "have not been approved yet") +
                         ", so nothing was disposed of: look at what they would do with "
                         "`openarchiver retention simulate`, then approve them with the code that "
                         "it shows"};
    }
    return put_event(catalog::RetentionApproved{definition, request.by}, committer, clock,
                     std::move(stop));
}

}  // namespace

std::string keep_text(const RetentionPolicy& policy) {
    if (!policy.keep) {
        return "forever";
    }
    const auto [months, days] = *policy.keep;
    if (days > 0) {
        return std::to_string(days) + "d";
    }
    return months % 12 == 0 ? std::to_string(months / 12) + "y" : std::to_string(months) + "mo";
}

std::string definition_of(const Policies& policies) {
    json::array list;
    for (const auto& policy : policies) {
        list.push_back(
            {{"id", policy.id},
             {"sources", texts(policy.sources)},
             {"accounts", texts(policy.accounts)},
             {"folders", texts(policy.folders)},
             {"keep", keep_text(policy)},
             {"counted_from",
              policy.counted_from == RetentionPolicy::From::received ? "received" : "archived"}});
    }
    return json::serialize(list);
}

std::string approval_code(std::string_view definition) {
    return archive::to_hex(archive::sha256(definition)).substr(0, 12);
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

Result<RetentionEffect> find_due(catalog::CatalogReader& catalog, const Policies& policies,
                                 sdk::Timestamp now, const VisitDue& visit, std::stop_token stop) {
    DueItems items(catalog, policies, now, visit);
    OPENARCHIVER_CHECK(items.prepare(stop));
    OPENARCHIVER_CHECK(
        catalog.visit_versions({}, [&](const catalog::VersionRecord& version) -> Status {
            if (stop.stop_requested()) {
                return Error{Errc::cancelled, "stopped"};
            }
            return items.version(version);
        }));
    return items.end();
}

Result<RetentionEffect> apply_retention(const Policies& policies, const ApplyRequest& request,
                                        const access::ArchiveWriter& archive,
                                        pipeline::Committer& committer, sdk::Clock& clock,
                                        std::stop_token stop) {
    if (policies.empty()) {
        return Error{Errc::invalid_argument,
                     "the profile has no retention policies (archive.retention): everything is "
                     "kept for ever"};
    }
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    OPENARCHIVER_CHECK(approve(policies, request, *catalog, committer, clock, stop));
    std::deque<ItemDisposal> disposals;
    for (const auto& policy : policies) {
        disposals.emplace_back(
            committer, clock,
            catalog::Disposal{.policy = policy.id,
                              .reason = "kept for " + keep_text(policy) + " by the policy",
                              .by = request.by});
    }
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(clock.now());
    OPENARCHIVER_TRY(auto effect, find_due(
                                      *catalog, policies, now,
                                      [&](std::size_t policy, const DisposableItem& item) {
                                          return disposals[policy].add(item, stop);
                                      },
                                      stop));
    for (auto& disposal : disposals) {
        OPENARCHIVER_CHECK(disposal.finish(stop));
    }
    OPENARCHIVER_CHECK(committer.tidy(stop));
    OPENARCHIVER_CHECK(committer.write_head(stop));
    if (std::ranges::any_of(effect.policies,
                            [](const auto& policy) { return policy.due_items > 0; })) {
        OPENARCHIVER_CHECK(search::purge(archive.catalog_folder(), stop));
    }
    return effect;
}

}  // namespace openarchiver::disposal
