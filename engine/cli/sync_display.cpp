#include "cli/sync_display.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "cli/document.hpp"
#include "cli/table.hpp"

namespace openarchiver::cli {

namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

/// Speed is that of so long a time.
constexpr auto kWindow = 10s;

struct Sum {
    std::uint64_t accounts = 0;
    std::uint64_t accounts_done = 0;
    std::uint64_t fetched = 0;
    std::uint64_t failed = 0;
    std::uint64_t throttled = 0;
    std::uint64_t bytes = 0;
    std::chrono::seconds left{0};
};

Sum sum_of(const std::vector<service::SourceProgress>& progress) {
    Sum sum;
    for (const service::SourceProgress& source : progress) {
        const pipeline::SyncCounts& counts = source.counts;
        sum.accounts += counts.discovered;
        sum.accounts_done += counts.up_to_date + counts.without_mailbox + counts.excluded +
                             counts.closed_by_policy + counts.deleted_upstream +
                             counts.failed_accounts;
        sum.fetched += counts.new_items + counts.changed;
        // The sources run side by side.
        if (source.forecast.left && *source.forecast.left > 0s) {
            sum.left = std::max(sum.left, *source.forecast.left);
        }
        sum.failed += counts.failed_items + counts.failed_folders + counts.failed_accounts;
        sum.throttled += source.throttled;
        // A provider need not count; what was archived says nearly the same.
        sum.bytes += std::max(source.bytes_downloaded, counts.archived_bytes);
    }
    return sum;
}

/// Where the service made it wait, so long that people wonder.
std::string waits_text(const json::value& source) {
    const std::uint64_t waited =
        number_of(member(source, "metrics"), "content_wait_milliseconds_total");
    if (number_of(source, "throttled") == 0) {
        return {};
    }
    return text_of(source, "id") + ": the service throttled " +
           count_text(number_of(source, "throttled")) + " requests; messages waited " +
           duration_text(std::chrono::milliseconds(waited)) + " in all\n";
}

std::string rounded(double value) {
    return count_text(static_cast<std::uint64_t>(std::llround(std::max(value, 0.0))));
}

}  // namespace

SyncDisplay::Speed SyncDisplay::speed(std::uint64_t items, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    samples_.push_back({now, items, bytes});
    while (samples_.size() > 2 && samples_.front().at + kWindow < now) {
        samples_.pop_front();
    }
    const Sample& first = samples_.front();
    const double seconds = std::chrono::duration<double>(now - first.at).count();
    if (seconds < 0.5) {
        return {};
    }
    return {static_cast<double>(items - std::min(items, first.items)) / seconds,
            static_cast<double>(bytes - std::min(bytes, first.bytes)) / seconds};
}

std::string SyncDisplay::line(const std::vector<service::SourceProgress>& progress,
                              std::size_t columns) {
    const Sum sum = sum_of(progress);
    const Speed now = speed(sum.fetched, sum.bytes);
    // The most important first.
    std::vector<std::string> parts;
    parts.push_back("accounts " + count_text(sum.accounts_done) + "/" + count_text(sum.accounts));
    parts.push_back(count_text(sum.fetched) + " messages");
    parts.push_back(rounded(now.items) + "/s");
    parts.push_back(size_text(static_cast<std::uint64_t>(std::max(now.bytes, 0.0))) + "/s");
    if (sum.left > 0s) {
        parts.push_back("about " + duration_text(std::max(sum.left, 10s)) + " left");
    }
    if (sum.failed > 0) {
        parts.push_back(count_text(sum.failed) + " failed");
    }
    if (sum.throttled > 0) {
        parts.push_back(count_text(sum.throttled) + " throttled");
    }
    std::string text;
    for (const std::string& part : parts) {
        const std::string longer = text.empty() ? part : text + "  " + part;
        if (display_width(longer) >= columns) {
            break;
        }
        text = longer;
    }
    return text;
}

std::string sync_summary(std::string_view document) {
    const json::value parsed = parse_document(document);
    Table table({{"SOURCE"},
                 {"STATUS"},
                 {"ACCOUNTS", Table::Align::right},
                 {"NEW", Table::Align::right},
                 {"CHANGED", Table::Align::right},
                 {"UNCHANGED", Table::Align::right},
                 {"MOVED", Table::Align::right},
                 {"LEFT", Table::Align::right},
                 {"FAILED", Table::Align::right},
                 {"DOWNLOADED", Table::Align::right},
                 {"TIME", Table::Align::right}});
    std::string notes;
    for (const json::value& source : list_of(parsed, "sources")) {
        const json::value& items = member(source, "items");
        const json::value& accounts = member(source, "accounts");
        table.row({text_of(source, "id"), text_of(source, "status"),
                   count_text(number_of(accounts, "discovered")),
                   count_text(number_of(items, "new")), count_text(number_of(items, "changed")),
                   count_text(number_of(items, "unchanged")), count_text(number_of(items, "moved")),
                   count_text(number_of(items, "left")), count_text(number_of(items, "failed")),
                   size_text(number_of(source, "bytes_downloaded")),
                   duration_text(std::chrono::milliseconds(
                       std::llround(decimal_of(source, "seconds") * 1000)))});
        const std::string error = text_of(member(source, "error"), "message");
        if (!error.empty()) {
            notes += text_of(source, "id") + ": " + plain(error) + "\n";
        }
        for (const json::value& problem : list_of(source, "problems")) {
            notes += text_of(source, "id") + ": " + plain(text_of(problem, "message")) + "\n";
        }
        notes += waits_text(source);
        if (const std::uint64_t count = number_of(source, "outstanding_failures"); count > 0) {
            notes += text_of(source, "id") + ": " + count_text(count) +
                     " not archived; see `openarchiver failures`\n";
        }
    }
    return (table.empty() ? std::string("No source was read: there is none, or all are paused.\n")
                          : table.text()) +
           notes;
}

}  // namespace openarchiver::cli
