#include "estimate.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

namespace {

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
        ids.push_back(folder.id);
        return Flow::proceed;
    }

    Flow folder_removed(std::string_view) override { return Flow::proceed; }

    std::uint64_t items = 0;
    std::vector<std::string> ids;
};

/// The first items of a folder.
class SomeItems final : public sdk::ItemSink {
public:
    Flow item(const sdk::Item& item) override {
        items.push_back(item);
        return items.size() < kSizesPerFolder ? Flow::proceed : Flow::stop;
    }

    Flow item_left(std::string_view) override { return Flow::proceed; }

    Flow item_failed(std::string_view, const sdk::Error&) override { return Flow::proceed; }

    Flow checkpoint(const sdk::Cursor&) override { return Flow::proceed; }

    std::vector<sdk::Item> items;
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
    using Clock = std::chrono::steady_clock;
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
        for (const std::string& folder : folders.ids) {
            if (sizes >= kSizesPerAccount || Clock::now() >= end) {
                break;
            }
            SomeItems some;
            // Cut short by the sink, or a folder that can't be read: the others tell.
            (void)session.sync_folder(account, folder, std::nullopt, some, stop);
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
