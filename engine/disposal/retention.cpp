#include "disposal/retention.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <deque>
#include <unordered_set>

#include "archive/digest.hpp"
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

/// A lock that lasts no longer is waited for.
constexpr std::chrono::days kNearEnd{31};

/// The contents whose pack the store locks still, but not for long.
Result<std::vector<bool>> soon_unlocked(catalog::CatalogReader& catalog, sdk::Timestamp now) {
    OPENARCHIVER_TRY(const auto packs, catalog.protected_packs(now));
    std::unordered_set<std::int64_t> soon;
    for (const auto& pack : packs) {
        if (pack.locked_until > now && pack.locked_until <= now + kNearEnd) {
            soon.insert(pack.key);
        }
    }
    std::vector<bool> contents;
    if (soon.empty()) {
        return contents;
    }
    OPENARCHIVER_CHECK(catalog.visit_places(
        [&](std::int64_t pack, std::int64_t content) {
            const auto place = static_cast<std::size_t>(content);
            contents.resize(std::max(contents.size(), place + 1));
            contents[place] = soon.contains(pack);
        },
        nullptr));
    return contents;
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
        json::object value{
            {"id", policy.id},
            {"sources", texts(policy.sources)},
            {"accounts", texts(policy.accounts)},
            {"folders", texts(policy.folders)},
            {"keep", keep_text(policy)},
            {"counted_from",
             policy.counted_from == RetentionPolicy::From::received ? "received" : "archived"}};
        // What one person approved is not what two have to approve.
        if (policy.second_person) {
            value["second_person"] = true;
        }
        list.push_back(std::move(value));
    }
    return json::serialize(list);
}

std::string approval_code(std::string_view definition) {
    return archive::to_hex(archive::sha256(definition)).substr(0, 12);
}

Result<bool> would_approve(const Policies& policies, const ApplyRequest& request,
                           catalog::CatalogReader& catalog) {
    if (policies.empty()) {
        return Error{Errc::invalid_argument,
                     "the profile has no retention policies (archive.retention): everything is "
                     "kept for ever"};
    }
    const std::string definition = definition_of(policies);
    OPENARCHIVER_TRY(const auto approval, catalog.approval());
    if (!request.approve.empty() && request.approve != approval_code(definition)) {
        return Error{Errc::invalid_argument,
                     "\"" + request.approve +
                         "\" is not the code of the retention policies as they are now: run "
                         "`openarchiver retention simulate` and look at what they would do"};
    }
    if (approval && approval->definition == definition) {
        return false;
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
    return true;
}

Result<RetentionEffect> find_due(catalog::CatalogReader& catalog, const Policies& policies,
                                 sdk::Timestamp now, const VisitDue& visit, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto holds, HoldsInForce::read(catalog, stop));
    OPENARCHIVER_TRY(const auto locked, soon_unlocked(catalog, now));
    const auto waits = [&](const catalog::VersionRecord& version) {
        const auto content = static_cast<std::size_t>(version.content_key);
        return content < locked.size() && locked[content];
    };
    RetentionEffect all;
    all.policies.resize(policies.size());
    OPENARCHIVER_CHECK(visit_items(
        catalog, policies,
        [&](const ItemVersions& item, const ItemTime& time) -> Status {
            if (!time.policy) {
                ++all.uncovered_items;
                return {};
            }
            auto& effect = all.policies[*time.policy];
            ++effect.items;
            if (!time.end || now < *time.end) {
                return {};
            }
            OPENARCHIVER_TRY(const auto over, holds.over(item));
            if (!over.empty()) {
                ++effect.held_items;
                return {};
            }
            if (std::ranges::any_of(item, waits)) {
                ++effect.locked_items;
                return {};
            }
            auto due = disposable(item);
            ++effect.due_items;
            effect.due_versions += due.versions;
            effect.due_bytes += due.bytes;
            effect.oldest =
                effect.oldest == sdk::Timestamp{} ? time.from : std::min(effect.oldest, time.from);
            effect.newest = std::max(effect.newest, time.from);
            return visit(*time.policy, std::move(due));
        },
        std::move(stop)));
    return all;
}

Result<RetentionEffect> apply_retention(const Policies& policies, const ApplyRequest& request,
                                        const access::ArchiveWriter& archive,
                                        pipeline::Committer& committer, sdk::Clock& clock,
                                        std::stop_token stop) {
    OPENARCHIVER_CHECK(check_history(archive));
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    OPENARCHIVER_TRY(const bool approves, would_approve(policies, request, *catalog));
    if (approves) {
        OPENARCHIVER_TRY(const auto before, catalog->approval());
        // The newest approval is in force, also where the clock went back.
        const auto at =
            std::max(sdk::timestamp_of(clock),
                     before ? before->at + std::chrono::milliseconds(1) : sdk::Timestamp{});
        OPENARCHIVER_CHECK(put_event(
            catalog::RetentionApproved{definition_of(policies), request.by}, committer, at, stop));
    }
    std::deque<ItemDisposal> disposals;
    for (const auto& policy : policies) {
        disposals.emplace_back(
            committer, clock,
            catalog::Disposal{.policy = policy.id,
                              .reason = "kept for " + keep_text(policy) + " by the policy",
                              .by = request.by});
    }
    const auto now = sdk::timestamp_of(clock);
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
