#include "estimate.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "failure.hpp"
#include "mail/task_group.hpp"
#include "throttle/backoff.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using sdk::Flow;

constexpr std::chrono::seconds kTimeForAll{50};
constexpr std::chrono::seconds kTimeForDiscovery{25};
constexpr std::size_t kMailboxes = 16;
constexpr std::uint32_t kMailboxesAtATime = 4;
constexpr std::uint32_t kSizesPerMailbox = 50;
constexpr std::size_t kReadPerMailbox = 3;
/// Larger ones would take the time of many others; how long they take follows from their size.
constexpr std::uint64_t kLargestRead = 4U << 20;

class AvailableAccounts final : public sdk::AccountSink {
public:
    explicit AvailableAccounts(std::stop_token stop) : stop_(std::move(stop)) {}

    Flow account(const sdk::Account& account) override {
        if (account.state == sdk::AccountState::available) {
            ids.push_back(account.id);
        }
        return stop_.stop_requested() ? Flow::stop : Flow::proceed;
    }

    std::vector<std::string> ids;

private:
    std::stop_token stop_;
};

/// Adds up what is to be archived, and remembers the largest of these folders.
class FolderCounts final : public sdk::FolderSink {
public:
    Flow folder(const sdk::Folder& folder) override {
        const std::uint64_t count = folder.item_count.value_or(0);
        if (folder.archived && count > 0) {
            items += count;
            if (count > largest_count) {
                largest_count = count;
                largest = folder.id;
            }
        }
        return Flow::proceed;
    }

    Flow folder_removed(std::string_view) override { return Flow::proceed; }

    std::uint64_t items = 0;
    std::uint64_t largest_count = 0;
    std::string largest;
};

/// A stop that comes by itself after a time, or with `outer`.
class Deadline {
public:
    Deadline(std::chrono::seconds time, const std::stop_token& outer)
        : forward_(outer, [this] { source_.request_stop(); }),
          watchdog_([this, time](const std::stop_token& done) {
              if (sleep_unless_stopped(time, done)) {
                  source_.request_stop();
              }
          }) {}

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    std::stop_callback<std::function<void()>> forward_;
    std::jthread watchdog_;
};

/// Up to `count` of them, evenly spread.
std::vector<std::string> spread(const std::vector<std::string>& ids, std::size_t count) {
    std::vector<std::string> some;
    const std::size_t taken = std::min(count, ids.size());
    for (std::size_t i = 0; i < taken; ++i) {
        some.push_back(ids[i * ids.size() / taken]);
    }
    return some;
}

}  // namespace

sdk::Result<sdk::Estimate> Sampler::run(const std::stop_token& stop) {
    const Deadline deadline(kTimeForAll, stop);
    sdk::Estimate estimate;
    OPENARCHIVER_TRY(const std::vector<std::string> ids,
                     accounts(estimate.accounts_complete, deadline.token()));
    estimate.accounts = ids.size();
    TaskGroup tasks(deadline.token());
    const std::vector<std::string> chosen = spread(ids, kMailboxes);
    for (const std::string& id : chosen) {
        tasks.add([this, &id](const std::stop_token& inner) -> sdk::Status {
            look_at(id, inner);
            return {};
        });
    }
    // Cut short by the deadline, what was seen until then counts.
    (void)tasks.run(kMailboxesAtATime);
    if (stop.stop_requested()) {
        return cancelled();
    }

    const std::lock_guard lock(mutex_);
    if (seen_.items_of_accounts.empty() && !ids.empty()) {
        return seen_.error ? *seen_.error
                           : failure(Errc::timed_out, "no mailbox could be looked at in time");
    }
    estimate.sampled_accounts = seen_.items_of_accounts;
    // Sizes in the store are not those of the MIME form.
    if (seen_.listed > 0 && seen_.read_sizes > 0) {
        const double growth =
            static_cast<double>(seen_.read_bytes) / static_cast<double>(seen_.read_sizes);
        estimate.sampled_items = seen_.listed;
        estimate.sampled_bytes =
            static_cast<std::uint64_t>(static_cast<double>(seen_.listed_bytes) * growth);
    } else {
        estimate.sampled_items = seen_.read;
        estimate.sampled_bytes = seen_.read_bytes;
    }
    if (seen_.read > 0) {
        estimate.content_time = seen_.read_time / seen_.read;
    }
    return estimate;
}

sdk::Result<std::vector<std::string>> Sampler::accounts(bool& complete,
                                                        const std::stop_token& stop) {
    const Deadline deadline(kTimeForDiscovery, stop);
    AvailableAccounts found(deadline.token());
    const auto listing = session_.discover(std::nullopt, found, deadline.token());
    complete = listing.has_value();
    if (!listing && (listing.error().code != Errc::cancelled || found.ids.empty())) {
        return listing.error();
    }
    return std::move(found.ids);
}

void Sampler::look_at(const std::string& account_id, const std::stop_token& stop) {
    FolderCounts counts;
    const auto listing = session_.list_folders(account_id, std::nullopt, counts, stop);
    {
        const std::lock_guard lock(mutex_);
        if (!listing) {
            if (listing.error().code != Errc::cancelled) {
                seen_.error = listing.error();
            }
            return;
        }
        seen_.items_of_accounts.push_back(counts.items);
    }
    if (!counts.largest.empty()) {
        measure(account_id, counts.largest, stop);
    }
}

void Sampler::measure(const std::string& account_id, const std::string& folder_id,
                      const std::stop_token& stop) {
    const std::string messages = "/v1.0/users/" + percent_encode(account_id) + "/mailFolders/" +
                                 percent_encode(folder_id) +
                                 "/messages?$select=id&$top=" + std::to_string(kSizesPerMailbox);
    GraphRequest request;
    request.what = "asking for the sizes of messages";
    // There is no property for the size; PidTagMessageSize is what the store counts.
    request.target =
        messages + "&$expand=singleValueExtendedProperties($filter=id%20eq%20'Integer%200x0E08')";
    RequestLimiter& mailbox = limiter_of_(account_id);
    auto answer = graph_.fetch(mailbox, request, Patience::wait, stop);
    if (answer && answer->failure) {
        request.target = messages;
        answer = graph_.fetch(mailbox, request, Patience::wait, stop);
    }
    if (!answer || answer->failure) {
        return;
    }
    const auto page = parse_sizes(answer->body);
    if (!page) {
        return;
    }
    std::vector<std::size_t> readable;
    {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < page->entries.size(); ++i) {
            const auto& size = page->entries[i].size;
            seen_.listed += size ? 1 : 0;
            seen_.listed_bytes += size.value_or(0);
            if (size.value_or(0) <= kLargestRead) {
                readable.push_back(i);
            }
        }
    }
    const std::size_t taken = std::min(kReadPerMailbox, readable.size());
    for (std::size_t i = 0; i < taken && !stop.stop_requested(); ++i) {
        read(account_id, page->entries[readable[i * readable.size() / taken]], stop);
    }
}

void Sampler::read(const std::string& account_id, const SizeEntry& message,
                   const std::stop_token& stop) {
    const auto started = clock_.steady_now();
    auto reader = session_.open_content(account_id, message.id, stop);
    if (!reader) {
        return;
    }
    std::array<std::byte, 16384> buffer{};
    std::uint64_t bytes = 0;
    for (;;) {
        const auto count = (*reader)->read(buffer);
        if (!count || stop.stop_requested() || bytes > 4 * kLargestRead) {
            return;
        }
        if (*count == 0) {
            break;
        }
        bytes += *count;
    }
    const std::lock_guard lock(mutex_);
    ++seen_.read;
    seen_.read_bytes += bytes;
    seen_.read_sizes += message.size.value_or(0);
    seen_.read_time +=
        std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady_now() - started);
}

}  // namespace openarchiver::microsoft365
