#include "service/estimate.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <numeric>

#include "pipeline/time_needed.hpp"

namespace openarchiver::service {

namespace json = boost::json;

namespace {

/// Of mail as it comes, compressed; where the archive has too little of its own to tell.
constexpr double kAssumedRatio = 0.75;
constexpr std::uint64_t kTellingBytes = 16U << 20;

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

std::uint64_t whole(double value) {
    return static_cast<std::uint64_t>(std::llround(std::max(value, 0.0)));
}

}  // namespace

json::value estimate_document(const sdk::Estimate& seen, const sdk::SessionLimits& limits,
                              const catalog::Totals& totals) {
    const std::uint64_t sampled = seen.sampled_accounts.size();
    const double times = sampled == 0 ? 0 : number(seen.accounts) / number(sampled);
    const std::uint64_t sampled_items = std::accumulate(
        seen.sampled_accounts.begin(), seen.sampled_accounts.end(), std::uint64_t{0});
    const double items = number(sampled_items) * times;
    const bool sized = seen.sampled_items > 0 || sampled_items == 0;
    const double each =
        seen.sampled_items == 0 ? 0 : number(seen.sampled_bytes) / number(seen.sampled_items);
    const double bytes = items * each;
    const bool own_ratio = totals.version_bytes >= kTellingBytes && totals.pack_bytes > 0;
    const double ratio =
        own_ratio ? number(totals.pack_bytes) / number(totals.version_bytes) : kAssumedRatio;

    json::object document{{"accounts", seen.accounts},
                          {"accounts_complete", seen.accounts_complete},
                          {"accounts_sampled", sampled},
                          {"items", sampled == 0 ? json::value() : json::value(whole(items))},
                          {"items_sampled", seen.sampled_items},
                          {"bytes_per_item", sized ? json::value(whole(each)) : json::value()},
                          {"bytes", sized ? json::value(whole(bytes)) : json::value()},
                          {"seconds", nullptr},
                          {"longest_account_seconds", nullptr},
                          {"milliseconds_per_item", nullptr},
                          {"disk_bytes", sized ? json::value(whole(bytes * ratio)) : json::value()},
                          {"stored_ratio", ratio},
                          {"stored_ratio_from", own_ratio ? "archive" : "assumption"},
                          {"extrapolated", sampled < seen.accounts || !seen.accounts_complete}};
    if (seen.content_time.count() > 0 || sampled_items == 0) {
        const pipeline::Seconds content = seen.content_time;
        pipeline::Seconds longest(0);
        pipeline::Seconds sum(0);
        for (const std::uint64_t count : seen.sampled_accounts) {
            const pipeline::Seconds time = pipeline::time_needed(number(count), content, limits);
            longest = std::max(longest, time);
            sum += time;
        }
        const pipeline::Seconds all =
            pipeline::time_needed(longest, sum * times, number(seen.accounts), limits);
        document["seconds"] = whole(std::ceil(all.count()));
        document["longest_account_seconds"] = whole(std::ceil(longest.count()));
        document["milliseconds_per_item"] = whole(std::ceil(content.count() * 1000));
    }
    return document;
}

}  // namespace openarchiver::service
