#include "estimate.hpp"

#include <algorithm>
#include <array>
#include <openarchiver/sdk/deadline.hpp>

#include "failure.hpp"

namespace openarchiver::imap {

namespace {

constexpr std::chrono::seconds kTimeForAll{50};
constexpr std::size_t kAccounts = 8;
/// Of an account whose server does not tell the numbers with the folders.
constexpr std::size_t kFoldersOpened = 50;
constexpr std::size_t kSizes = 50;
constexpr std::size_t kRead = 3;
/// Larger ones would take the time of many others; how long they take follows from their size.
constexpr std::uint64_t kLargestRead = 4U << 20U;

class Sampler {
public:
    Sampler(sdk::Clock& clock, std::stop_token stop) : clock_(clock), stop_(std::move(stop)) {}

    sdk::Status look_at(Account& account) {
        OPENARCHIVER_TRY(const auto tree, account.list_folders(stop_));
        std::uint64_t items = 0;
        std::uint64_t most = 0;
        const FolderEntry* largest = nullptr;
        std::size_t opened = 0;
        for (const FolderEntry& entry : tree->entries) {
            std::uint64_t count = entry.folder.item_count.value_or(0);
            if (!entry.folder.archived) {
                continue;
            }
            if (!entry.folder.item_count && opened < kFoldersOpened) {
                ++opened;
                OPENARCHIVER_TRY(count, count_of(account, entry.mailbox));
            }
            items += count;
            if (count > most) {
                most = count;
                largest = &entry;
            }
        }
        estimate.sampled_accounts.push_back(items);
        return largest == nullptr ? sdk::Status() : measure(account, largest->mailbox);
    }

    sdk::Estimate estimate;
    std::chrono::microseconds read_time{0};
    std::int64_t read = 0;

private:
    sdk::Result<std::uint64_t> count_of(Account& account, const std::string& mailbox) {
        return account.with_connection(
            mailbox, stop_, [&](Connection& connection) -> sdk::Result<std::uint64_t> {
                OPENARCHIVER_TRY(const Mailbox opened, connection.examine(mailbox, stop_));
                return opened.messages;
            });
    }

    sdk::Status measure(Account& account, const std::string& mailbox) {
        return account.with_connection(mailbox, stop_, [&](Connection& connection) -> sdk::Status {
            OPENARCHIVER_CHECK(connection.examine(mailbox, stop_));
            OPENARCHIVER_TRY(UidSet uids, connection.search(1, 0, stop_));
            UidSet chosen;
            const std::uint64_t step = std::max<std::uint64_t>(uids.count() / kSizes, 1);
            while (!uids.empty() && chosen.count() < kSizes) {
                chosen.add(uids.take(step).last());
            }
            OPENARCHIVER_TRY(const auto described, connection.describe(chosen, stop_));
            std::vector<UidSet::Uid> readable;
            for (const FetchedMessage& message : described.messages) {
                ++estimate.sampled_items;
                estimate.sampled_bytes += *message.size;
                if (*message.size <= kLargestRead) {
                    readable.push_back(message.uid);
                }
            }
            const std::size_t taken = std::min(kRead, readable.size());
            for (std::size_t i = 0; i < taken; ++i) {
                OPENARCHIVER_CHECK(time(connection, readable[i * readable.size() / taken]));
            }
            return {};
        });
    }

    sdk::Status time(Connection& connection, UidSet::Uid uid) {
        const auto started = clock_.steady_now();
        OPENARCHIVER_CHECK(connection.begin_content(uid, stop_));
        std::array<std::byte, 16384> buffer{};
        for (;;) {
            OPENARCHIVER_TRY(const std::size_t count, connection.read_content(buffer, stop_));
            if (count == 0) {
                break;
            }
        }
        read_time +=
            std::chrono::duration_cast<std::chrono::microseconds>(clock_.steady_now() - started);
        ++read;
        return {};
    }

    sdk::Clock& clock_;
    const std::stop_token stop_;
};

}  // namespace

sdk::Result<sdk::Estimate> estimate_accounts(const std::vector<Account*>& accounts,
                                             sdk::Clock& clock, const std::stop_token& stop) {
    const sdk::Deadline deadline(kTimeForAll, stop);
    Sampler sampler(clock, deadline.token());
    std::optional<sdk::Error> first;
    const std::size_t looked_at = std::min(kAccounts, accounts.size());
    for (std::size_t i = 0; i < looked_at && !deadline.token().stop_requested(); ++i) {
        if (auto looked = sampler.look_at(*accounts[i * accounts.size() / looked_at]);
            !looked && !first) {
            first = std::move(looked.error());
        }
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    sdk::Estimate estimate = std::move(sampler.estimate);
    if (estimate.sampled_accounts.empty()) {
        return first && first->code != sdk::Errc::cancelled
                   ? *first
                   : failure(sdk::Errc::timed_out, "no mailbox could be looked at in time");
    }
    estimate.accounts = accounts.size();
    if (sampler.read > 0) {
        estimate.content_time = sampler.read_time / sampler.read;
    }
    return estimate;
}

}  // namespace openarchiver::imap
