#include "estimate.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

namespace {

using Clock = std::chrono::steady_clock;
using sdk::Flow;

constexpr std::size_t kAccounts = 16;
constexpr std::size_t kSizesPerFolder = 100;
constexpr std::size_t kSizesPerAccount = 1'000;
constexpr std::size_t kReadPerAccount = 10;
constexpr std::chrono::seconds kTimeForAll{50};

class AccountIds final : public sdk::AccountSink {
public:
    Flow account(const sdk::Account& account) override {
        ids.push_back(account.id);
        return Flow::proceed;
    }

    std::vector<std::string> ids;
};

class Folders final : public sdk::FolderSink {
public:
    Flow folder(const sdk::Folder& folder) override {
        items += folder.item_count.value_or(0);
        folders.push_back({folder.id, folder.item_count.has_value()});
        return Flow::proceed;
    }

    Flow folder_removed(std::string_view) override { return Flow::proceed; }

    struct Listed {
        std::string id;
        bool counted = false;
    };

    std::uint64_t items = 0;
    std::vector<Listed> folders;
};

/// The first items of a folder; the number of all, where the list of folders does not tell it.
class SomeItems final : public sdk::ItemSink {
public:
    SomeItems(bool count_all, Clock::time_point end) : count_all_(count_all), end_(end) {}

    Flow item(const sdk::Item& item) override {
        ++count;
        if (items.size() < kSizesPerFolder) {
            items.push_back(item);
        }
        const bool enough = !count_all_ && items.size() >= kSizesPerFolder;
        return enough || Clock::now() >= end_ ? Flow::stop : Flow::proceed;
    }

    Flow item_left(std::string_view) override { return Flow::proceed; }

    Flow item_failed(std::string_view, const sdk::Error&) override { return Flow::proceed; }

    Flow checkpoint(const sdk::Cursor&) override { return Flow::proceed; }

    std::vector<sdk::Item> items;
    std::uint64_t count = 0;

private:
    const bool count_all_;
    const Clock::time_point end_;
};

sdk::Status read_whole(sdk::ProviderSession& session, const std::string& account,
                       const std::string& item, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto reader, session.open_content(account, item, stop));
    std::array<std::byte, 65536> buffer{};
    for (;;) {
        OPENARCHIVER_TRY(const std::size_t count, reader->read(buffer));
        if (count == 0) {
            return {};
        }
        if (stop.stop_requested()) {
            return cancelled();
        }
    }
}

}  // namespace

sdk::Result<sdk::Estimate> estimate_source(sdk::ProviderSession& session,
                                           const std::stop_token& stop) {
    const auto end = Clock::now() + kTimeForAll;
    AccountIds accounts;
    OPENARCHIVER_CHECK(session.discover(std::nullopt, accounts, stop));
    sdk::Estimate estimate;
    estimate.accounts = accounts.ids.size();
    std::uint64_t read = 0;
    Clock::duration reading{0};
    const std::size_t taken = std::min(kAccounts, accounts.ids.size());
    for (std::size_t i = 0; i < taken && Clock::now() < end; ++i) {
        const std::string& account = accounts.ids[i * accounts.ids.size() / taken];
        Folders folders;
        OPENARCHIVER_CHECK(session.list_folders(account, std::nullopt, folders, stop));
        estimate.sampled_accounts.push_back(folders.items);
        std::size_t sizes = 0;
        std::size_t read_here = 0;
        for (const auto& [folder, counted] : folders.folders) {
            if ((counted && sizes >= kSizesPerAccount) || Clock::now() >= end) {
                continue;
            }
            SomeItems some(!counted, end);
            // Cut short by the sink, or a folder that can't be read: the others tell.
            (void)session.sync_folder(account, folder, std::nullopt, some, stop);
            estimate.sampled_accounts.back() += counted ? 0 : some.count;
            for (const sdk::Item& item : some.items) {
                sizes += 1;
                estimate.sampled_items += item.size_hint ? 1 : 0;
                estimate.sampled_bytes += item.size_hint.value_or(0);
                if (read_here < kReadPerAccount) {
                    const auto started = Clock::now();
                    if (read_whole(session, account, item.id, stop)) {
                        ++read;
                        reading += Clock::now() - started;
                    }
                    ++read_here;
                }
            }
            if (stop.stop_requested()) {
                return cancelled();
            }
        }
    }
    if (read > 0) {
        estimate.content_time =
            std::chrono::duration_cast<std::chrono::microseconds>(reading) / read;
    }
    return estimate;
}

}  // namespace openarchiver::mailfiles
