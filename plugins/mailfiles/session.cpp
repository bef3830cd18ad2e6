#include "session.hpp"

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "child_process.hpp"
#include "estimate.hpp"
#include "file_access.hpp"
#include "folder_listing.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::chrono::seconds kTimeForEstimate{55};

}  // namespace

Session::Session(Settings settings, const sdk::HostServices& host)
    : settings_(std::move(settings)),
      logger_(host.logger),
      metrics_(host.metrics),
      waker_(host.waker),
      unpacking_(settings_, host.state_folder),
      container_trees_(host.state_folder) {}

sdk::SessionLimits Session::limits() const {
    return {.accounts_in_parallel = 2, .readers_per_account = 4};
}

sdk::Result<std::shared_ptr<const Session::Accounts>> Session::refresh() {
    OPENARCHIVER_TRY(Accounts accounts, resolve_accounts(settings_));
    auto shared = std::make_shared<const Accounts>(std::move(accounts));
    const std::lock_guard lock(mutex_);
    accounts_ = shared;
    return shared;
}

sdk::Result<std::shared_ptr<const AccountLayout>> Session::layout_of(
    const std::string& account_id) {
    std::shared_ptr<const Accounts> accounts;
    {
        const std::lock_guard lock(mutex_);
        accounts = accounts_;
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (accounts) {
            const auto found = std::ranges::find(*accounts, account_id, &AccountLayout::id);
            if (found != accounts->end()) {
                return std::shared_ptr<const AccountLayout>(accounts, &*found);
            }
        }
        if (attempt == 0) {
            OPENARCHIVER_TRY(accounts, refresh());
        }
    }
    return sdk::Error{.code = sdk::Errc::not_found,
                      .message = "the configured paths have no such account (any more)"};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::vector<sdk::Check>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        std::vector<sdk::Check> checks;
        sdk::Check& readable = checks.emplace_back();
        readable.name = "paths readable";
        const auto accounts = refresh();
        if (!accounts) {
            readable.outcome = sdk::CheckOutcome::fail;
            readable.code = accounts.error().code;
            readable.detail = accounts.error().message;
            readable.remedy = "correct \"paths\" or the rights to read them";
            return checks;
        }
        readable.outcome = sdk::CheckOutcome::pass;
        readable.detail = std::to_string(settings_.paths.size()) + " paths";
        const std::size_t count = (*accounts)->size();
        sdk::Check& found = checks.emplace_back();
        found.name = "accounts found";
        found.outcome = sdk::CheckOutcome::pass;
        found.detail = std::to_string(count) + (count == 1 ? " account" : " accounts");
        sdk::Check& readpst = checks.emplace_back();
        readpst.name = "readpst found";
        const std::string program = find_program(settings_.readpst);
        readpst.outcome = program.empty() ? sdk::CheckOutcome::unknown : sdk::CheckOutcome::pass;
        readpst.detail = program.empty() ? "not there; only PST files need it" : program;
        readpst.remedy = program.empty() ? "to archive PST files, install pst-utils" : "";
        return checks;
    });
}

TreeServices Session::tree_services() {
    return {.settings = settings_, .unpacking = unpacking_, .container_trees = container_trees_};
}

Watcher& Session::watcher() {
    const std::lock_guard lock(mutex_);
    if (!watcher_) {
        watcher_ = std::make_unique<Watcher>(waker_, logger_);
    }
    return *watcher_;
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Listing> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (cursor) {
            return sdk::Error{.code = sdk::Errc::cursor_expired,
                              .message = "listing accounts has no cursors here"};
        }
        unpacking_.remove_left();
        OPENARCHIVER_TRY(const std::shared_ptr<const Accounts> accounts, refresh());
        for (const AccountLayout& layout : *accounts) {
            sdk::Account account;
            account.id = layout.id;
            account.address = display_text(layout.name);
            account.display_name = account.address;
            if (stop.stop_requested() || sink.account(account) == sdk::Flow::stop) {
                return cancelled();
            }
        }
        return sdk::Listing{};
    });
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::FolderListing> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (cursor) {
            return sdk::Error{.code = sdk::Errc::cursor_expired,
                              .message = "listing folders has no cursors here"};
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        TreeServices services = tree_services();
        if (settings_.watch && waker_.listens()) {
            services.on_folder = [&](const FileDescriptor& folder) {
                watcher().watch(account_id, folder);
            };
        }
        OPENARCHIVER_TRY(const FolderTree tree, read_folder_tree(*account, services, stop));
        for (const sdk::Folder& folder : tree.folders) {
            if (stop.stop_requested() || sink.folder(folder) == sdk::Flow::stop) {
                return cancelled();
            }
        }
        if (tree.unreadable > 0) {
            logger_.log(sdk::LogLevel::warning,
                        "OA-8201 folders or files can't be read; let the user that runs the engine "
                        "read them",
                        {{"number", std::to_string(tree.unreadable)}});
        }
        sdk::FolderListing listing;
        listing.complete = tree.complete;
        return listing;
    });
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        const std::optional<RelativePath> path = resolve_id(*account, folder_id);
        if (!path) {
            return sdk::Error{.code = sdk::Errc::not_found, .message = "a mail folder is gone"};
        }
        const TreeServices services = tree_services();
        return list_items({.account = *account,
                           .path = *path,
                           .folder_id = folder_id,
                           .services = services,
                           .places = places_},
                          cursor, sink, stop);
    });
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ByteReader>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        const TreeServices services = tree_services();
        return MessageFinder(*account, services, places_, metrics_, stop).open(item_id);
    });
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        for (const Root& root : account->roots) {
            OPENARCHIVER_CHECK(open_root(root.path));
        }
        return {};
    });
}

sdk::Result<sdk::Estimate> Session::estimate(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Estimate> {
        // Unpacking could take for ever.
        std::stop_source in_time;
        const std::stop_callback forward(stop, [&] { in_time.request_stop(); });
        const std::jthread clock([&](const std::stop_token& done) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            std::condition_variable_any never;
            never.wait_for(lock, done, kTimeForEstimate, [] { return false; });
            in_time.request_stop();
        });
        sdk::Result<sdk::Estimate> estimate = estimate_source(*this, in_time.get_token());
        if (!estimate && estimate.error().code == sdk::Errc::cancelled && !stop.stop_requested()) {
            return sdk::Error{.code = sdk::Errc::timed_out,
                              .message =
                                  "the archives are too large to be looked into for an "
                                  "estimate"};
        }
        return estimate;
    });
}

}  // namespace openarchiver::mailfiles
