#include "pipeline/sync.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <unordered_map>

#include "pipeline/account_sync.hpp"

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

/// Collects what discovery reports.
class AccountCollector final : public sdk::AccountSink {
public:
    explicit AccountCollector(std::stop_token stop) : stop_(std::move(stop)) {}

    sdk::Flow account(const sdk::Account& account) override {
        accounts.push_back(account);
        return stop_.stop_requested() ? sdk::Flow::stop : sdk::Flow::proceed;
    }

    std::vector<sdk::Account> accounts;

private:
    std::stop_token stop_;
};

/// One sync run of one source.
class SourceSync {
public:
    SourceSync(RunContext run, const SyncOptions& options, std::stop_token stop)
        : run_(std::move(run)),
          options_(options),
          forward_(stop, [this] { stop_.request_stop(); }) {}

    /// The error that ended the run, if any.
    Status execute() {
        OPENARCHIVER_CHECK(put(catalog::SourceSeen{source().name, source().provider}, true));
        OPENARCHIVER_CHECK(discover());
        // Their rows must be there before their folders are.
        OPENARCHIVER_CHECK(run_.committer.flush(stop_.get_token()));
        OPENARCHIVER_TRY(accounts_, run_.catalog.accounts(source().id));
        select();
        run_.progress.update([&](SyncCounts& c) { c.discovered = accounts_.size(); });
        OPENARCHIVER_CHECK(sync_accounts());
        return finish_import();
    }

private:
    [[nodiscard]] const profile::Source& source() const { return run_.source.profile; }

    Status put(catalog::EventBody body, bool only_if_new = false) {
        if (only_if_new) {
            const auto known = run_.catalog.source(source().id);
            const auto& seen = std::get<catalog::SourceSeen>(body);
            if (known && known->name == seen.name && known->provider == seen.provider) {
                return {};
            }
        }
        return put_for("", std::move(body));
    }

    Status put_for(const std::string& account, catalog::EventBody body) {
        Entry entry;
        entry.source = source().id;
        entry.account = account;
        entry.event = {run_.now(), std::move(body)};
        return run_.committer.put(std::move(entry), stop_.get_token());
    }

    Status discover() {
        std::optional<sdk::Cursor> cursor;
        std::unordered_map<std::string, catalog::AccountRecord> known;
        if (auto record = run_.catalog.source(source().id); record) {
            cursor = record->accounts_cursor;
            OPENARCHIVER_TRY(auto accounts, run_.catalog.accounts(source().id));
            for (auto& account : accounts) {
                known.emplace(account.id, std::move(account));
            }
        }
        if (run_.reconcile) {
            cursor.reset();
        }
        AccountCollector found(stop_.get_token());
        auto& session = *run_.source.session;
        auto listing = session.discover(cursor, found, stop_.get_token());
        if (!listing && listing.error().code == Errc::cursor_expired && cursor) {
            found.accounts.clear();
            listing = session.discover(std::nullopt, found, stop_.get_token());
        }
        if (!listing) {
            return listing.error();
        }
        for (const auto& account : found.accounts) {
            const auto record = known.find(account.id);
            // What the mailbox itself told (closed by policy, no mailbox) stands until it says
            // otherwise: discovery only sees the directory.
            const bool same = record != known.end() && record->second.address == account.address &&
                              record->second.display_name == account.display_name &&
                              (record->second.state == account.state ||
                               (account.state == sdk::AccountState::available &&
                                (record->second.state == sdk::AccountState::closed_by_policy ||
                                 record->second.state == sdk::AccountState::without_mailbox)));
            if (!same) {
                OPENARCHIVER_CHECK(
                    put_for(account.id, catalog::AccountSeen{account.address, account.display_name,
                                                             account.state, account.reason}));
            }
            if (account.state == sdk::AccountState::available) {
                offered_.insert(account.id);
            }
            known.erase(account.id);
        }
        if (listing->complete) {
            for (const auto& [id, record] : known) {
                if (record.state != sdk::AccountState::deleted_upstream) {
                    OPENARCHIVER_CHECK(
                        put_for(id, catalog::AccountSeen{record.address, record.display_name,
                                                         sdk::AccountState::deleted_upstream,
                                                         "no longer listed by the service"}));
                }
            }
        } else {
            for (const auto& [id, record] : known) {
                // A mailbox that was closed or missing is asked again: it may be there now.
                if (record.state != sdk::AccountState::excluded &&
                    record.state != sdk::AccountState::deleted_upstream) {
                    offered_.insert(id);
                }
            }
        }
        if (listing->cursor && listing->cursor != cursor) {
            return put(
                catalog::CursorAdvanced{catalog::CursorScope::accounts, "", listing->cursor});
        }
        return {};
    }

    /// Which accounts this run visits. An account that was asked for may be another source's.
    void select() {
        const auto wanted = [&](const catalog::AccountRecord& account) {
            return offered_.contains(account.id) &&
                   (options_.accounts.empty() ||
                    std::any_of(
                        options_.accounts.begin(), options_.accounts.end(),
                        [&](const auto& w) { return w == account.id || w == account.address; }));
        };
        // What was never archived comes first, so that a short run gets round to everything.
        for (const bool imported : {false, true}) {
            for (const auto& account : accounts_) {
                if ((account.first_pass_at != sdk::Timestamp{}) == imported && wanted(account)) {
                    selected_.push_back(&account);
                }
            }
        }
    }

    Status sync_accounts() {
        OPENARCHIVER_TRY(const auto failures, run_.catalog.failures(source().id));
        for (const auto& failure : failures) {
            if (!failure.accepted && failure.next_try_at <= run_.now()) {
                due_[failure.account].push_back(failure);
            }
        }
        const std::size_t workers = std::min<std::size_t>(
            std::max(1U, run_.source.session->limits().accounts_in_parallel), selected_.size());
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < workers; ++i) {
                threads.emplace_back([this] { work(); });
            }
        }
        const std::lock_guard lock(mutex_);
        if (fatal_) {
            return *fatal_;
        }
        if (stop_.stop_requested()) {
            return Error{Errc::cancelled, "stopped before everything was synced"};
        }
        // No account could be read: not the accounts' fault.
        if (good_ == 0 && (denied_ || outage_)) {
            return denied_ ? *denied_ : *outage_;
        }
        return {};
    }

    void work() {
        while (!stop_.stop_requested()) {
            const std::size_t index = next_.fetch_add(1);
            if (index >= selected_.size()) {
                return;
            }
            const auto& account = *selected_[index];
            auto due = due_.find(account.id);
            auto sync = std::make_shared<AccountSync>(
                run_, account,
                due == due_.end() ? std::vector<catalog::FailureRecord>() : due->second);
            record(account, sync->execute(stop_.get_token()));
        }
    }

    void record(const catalog::AccountRecord& account, const AccountSync::Result& result) {
        const std::lock_guard lock(mutex_);
        results_[account.key] = result;
        switch (result.outcome) {
            case AccountSync::Outcome::up_to_date:
                ++good_;
                failures_in_a_row_ = 0;
                run_.progress.update([](SyncCounts& c) { ++c.up_to_date; });
                return;
            case AccountSync::Outcome::not_available:
                failures_in_a_row_ = 0;
                return;
            case AccountSync::Outcome::failed:
                break;
        }
        if (!result.error || result.error->code == Errc::cancelled) {
            good_ += result.error ? 0 : 1;  // single folders failed: the service answers
            return;
        }
        const Error& error = *result.error;
        run_.log->warn(
            "account failed: source={} account={} code={} service_code={} request_id={}: {}",
            account.source, account.id, to_string(error.code), error.service_code, error.request_id,
            error.message);
        const bool whole_source = error.code == Errc::unauthenticated || result.local ||
                                  run_.committer.failure().has_value();
        if (error.code == Errc::permission_denied) {
            denied_ = error;  // perhaps of this account alone
        }
        if (is_retryable(error.code)) {
            outage_ = error;
            ++failures_in_a_row_;
        }
        // So many different accounts in a row: the service is down, knocking on is no use.
        constexpr int kOutageAfter = 10;
        if (whole_source || failures_in_a_row_ >= kOutageAfter) {
            fatal_ = run_.committer.failure().value_or(error);
            stop_.request_stop();
        }
    }

    /// The source's initial import has ended once every available account had its first pass.
    Status finish_import() {
        OPENARCHIVER_CHECK(run_.committer.flush(stop_.get_token()));
        OPENARCHIVER_TRY(const auto record, run_.catalog.source(source().id));
        OPENARCHIVER_TRY(const auto accounts, run_.catalog.accounts(source().id));
        const bool all = std::all_of(accounts.begin(), accounts.end(), [](const auto& account) {
            return account.state != sdk::AccountState::available ||
                   account.first_pass_at != sdk::Timestamp{};
        });
        if (record.imported_at == sdk::Timestamp{} && all) {
            return put(catalog::PassCompleted{});
        }
        return {};
    }

public:
    /// Accounts by what became of them, after execute().
    void count_accounts() {
        const auto accounts = run_.catalog.accounts(source().id);
        if (!accounts) {
            return;
        }
        SyncCounts counts;
        for (const auto& account : *accounts) {
            const auto result = results_.find(account.key);
            ++counts.discovered;
            switch (account.state) {
                case sdk::AccountState::without_mailbox:
                    ++counts.without_mailbox;
                    continue;
                case sdk::AccountState::excluded:
                    ++counts.excluded;
                    continue;
                case sdk::AccountState::closed_by_policy:
                    ++counts.closed_by_policy;
                    continue;
                case sdk::AccountState::deleted_upstream:
                    ++counts.deleted_upstream;
                    continue;
                case sdk::AccountState::available:
                    break;
            }
            const bool failed =
                result != results_.end() &&
                result->second.outcome == AccountSync::Outcome::failed &&
                !(result->second.error && result->second.error->code == Errc::cancelled);
            if (failed) {
                ++counts.failed_accounts;
            } else if (account.first_pass_at != sdk::Timestamp{}) {
                ++counts.up_to_date;
            } else {
                ++counts.importing;
            }
        }
        run_.progress.update([&](SyncCounts& c) {
            c.discovered = counts.discovered;
            c.up_to_date = counts.up_to_date;
            c.importing = counts.importing;
            c.without_mailbox = counts.without_mailbox;
            c.excluded = counts.excluded;
            c.closed_by_policy = counts.closed_by_policy;
            c.deleted_upstream = counts.deleted_upstream;
            c.failed_accounts = counts.failed_accounts;
        });
    }

private:
    RunContext run_;
    const SyncOptions& options_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> forward_;
    std::vector<catalog::AccountRecord> accounts_;
    std::unordered_set<std::string> offered_;  ///< ids that discovery shows as available
    std::vector<const catalog::AccountRecord*> selected_;
    std::unordered_map<std::string, std::vector<catalog::FailureRecord>> due_;
    std::atomic<std::size_t> next_ = 0;

    std::mutex mutex_;  // guards everything below
    std::map<std::int64_t, AccountSync::Result> results_;
    std::optional<Error> fatal_;
    std::optional<Error> outage_;
    std::optional<Error> denied_;
    std::size_t good_ = 0;
    int failures_in_a_row_ = 0;
};

}  // namespace

sdk::Result<std::unique_ptr<OpenSource>> open_source(const access::Context& context,
                                                     const profile::Source& source,
                                                     plugin::SecretVault* vault) {
    OPENARCHIVER_TRY(auto* const provider, context.plugins.provider(source.provider));
    auto open = std::make_unique<OpenSource>();
    open->profile = source;
    plugin::PluginServices::Options options;
    options.owner = source.id;
    options.secrets = source.secrets;
    options.vault = vault;
    options.clock = &context.clock;
    options.state_folder = context.profile.archive.catalog_path / "state" / source.id;
    options.profile_folder = context.profile.folder;
    OPENARCHIVER_TRY(open->services, plugin::PluginServices::open(context.log, std::move(options)));
    auto session = provider->open(source.config_json, open->services->host());
    if (!session) {
        session.error().message = "source '" + source.id + "': " + session.error().message;
        return session.error();
    }
    open->session = std::move(*session);
    return open;
}

SyncReport sync_source(OpenSource& source, Committer& committer,
                       const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                       const std::shared_ptr<spdlog::logger>& log, const SyncOptions& options,
                       SyncProgress& progress, std::stop_token stop) {
    const auto started = clock.steady_now();
    const auto metrics_before = source.services->metrics().snapshot();
    SyncReport report;
    report.source = source.profile.id;
    auto reader = catalog::CatalogReader::open(catalog_folder);
    if (!reader) {
        report.error = reader.error();
        return report;
    }
    const auto now = [&] {
        return std::chrono::time_point_cast<std::chrono::milliseconds>(clock.now());
    };
    (void)committer.note({now(), catalog::RunStarted{report.source}}, {});
    {
        RunContext run{
            source,           committer, **reader, clock, log, progress, catalog_folder / "spool",
            options.reconcile};
        SourceSync sync(std::move(run), options, stop);
        if (const auto status = sync.execute(); !status) {
            report.error = status.error();
        }
        // Also after a stop: what was fetched becomes durable, and nobody refers to `run` any more.
        if (const auto flushed = committer.flush({}); !flushed) {
            report.error = flushed.error();
        }
        sync.count_accounts();
    }
    report.counts = progress.snapshot();
    for (const auto& [name, value] : source.services->metrics().snapshot()) {
        const auto before = metrics_before.find(name);
        report.metrics[name] = value - (before == metrics_before.end() ? 0 : before->second);
    }
    report.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady_now() - started);
    const bool stopped = report.error && report.error->code == Errc::cancelled;
    const auto ended = [&] {
        return catalog::RunEnded{report.source, stopped ? std::nullopt : report.error,
                                 to_json(report), stopped};
    };
    // Twice: the status is made from the first, and is part of the report in the second.
    (void)committer.note({now(), ended()}, {});
    (void)committer.flush({});
    if (const auto health = source_health(**reader, report.source); health) {
        report.status = health->status;
        report.outstanding_failures = health->outstanding_failures;
        (void)committer.note({now(), ended()}, {});
        (void)committer.flush({});
    } else {
        report.status = SourceStatus::error;
    }
    return report;
}

sdk::Result<SourceHealth> source_health(catalog::CatalogReader& catalog,
                                        std::string_view source_id) {
    SourceHealth health;
    const auto source = catalog.source(source_id);
    if (!source) {
        if (source.error().code == Errc::not_found) {
            return health;  // pending
        }
        return source.error();
    }
    OPENARCHIVER_TRY(const auto accounts, catalog.accounts(source_id));
    OPENARCHIVER_TRY(const auto failures, catalog.failures(source_id));
    health.outstanding_failures = static_cast<std::uint64_t>(
        std::count_if(failures.begin(), failures.end(), [](const auto& f) { return !f.accepted; }));
    std::size_t failed_accounts = 0;
    std::size_t failed_folders = 0;
    for (const auto& account : accounts) {
        if (account.state != sdk::AccountState::available) {
            continue;
        }
        failed_accounts += account.error.at != sdk::Timestamp{} ? 1 : 0;
        OPENARCHIVER_TRY(const auto folders, catalog.folders(account.key));
        failed_folders += static_cast<std::size_t>(
            std::count_if(folders.begin(), folders.end(), [](const auto& folder) {
                return folder.error.at != sdk::Timestamp{} && folder.removed_at == sdk::Timestamp{};
            }));
    }
    const auto many = [](std::size_t n, const char* what) {
        return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
    };
    if (!source->error_code.empty()) {
        health.status = SourceStatus::error;
        health.reason = source->error_message;
    } else if (health.outstanding_failures + failed_accounts + failed_folders > 0) {
        health.status = SourceStatus::attention;
        health.reason = many(health.outstanding_failures, "item") + ", " +
                        many(failed_folders, "folder") + " and " +
                        many(failed_accounts, "account") +
                        " could not be archived: see `openarchiver failures`";
    } else if (source->imported_at != sdk::Timestamp{}) {
        health.status = SourceStatus::active;
    } else if (source->run_started_at != sdk::Timestamp{}) {
        health.status = SourceStatus::importing;
    }
    return health;
}

}  // namespace openarchiver::pipeline
