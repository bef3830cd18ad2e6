#include "pipeline/sync.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <iterator>
#include <list>
#include <map>
#include <thread>
#include <unordered_map>

#include "catalog/iso_time.hpp"
#include "pipeline/account_sync.hpp"
#include "pipeline/scheduled_sync.hpp"

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
        OPENARCHIVER_CHECK(select());
        run_.progress.update([&](SyncCounts& c) { c.discovered = accounts_.size(); });
        OPENARCHIVER_CHECK(sync_accounts());
        OPENARCHIVER_CHECK(keep_accounts_cursor());
        return finish_import();
    }

    /// What discovery could not read although the run went on.
    [[nodiscard]] const std::vector<Error>& problems() const { return problems_; }

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
        std::unordered_map<std::string, catalog::AccountRecord> known;
        if (auto record = run_.catalog.source(source().id); record) {
            accounts_cursor_ = record->accounts_cursor;
            OPENARCHIVER_TRY(auto accounts, run_.catalog.accounts(source().id));
            for (auto& account : accounts) {
                known.emplace(account.id, std::move(account));
            }
        }
        std::unordered_set<std::string> forgotten;
        OPENARCHIVER_TRY(const auto all_forgotten, run_.catalog.forgotten());
        for (const auto& record : all_forgotten) {
            if (record.source == source().id) {
                forgotten.insert(record.account);
            }
        }
        std::optional<sdk::Cursor> cursor = accounts_cursor_;
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
        problems_ = std::move(listing->problems);
        for (const auto& problem : problems_) {
            run_.log->warn("OA-2003 discovery: source={} code={} service_code={} request_id={}: {}",
                           source().id, to_string(problem.code), problem.service_code,
                           problem.request_id, problem.message);
        }
        std::erase_if(found.accounts,
                      [&](const sdk::Account& account) { return forgotten.contains(account.id); });
        for (const auto& account : found.accounts) {
            const auto record = known.find(account.id);
            OPENARCHIVER_CHECK(take(account, record == known.end() ? nullptr : &record->second));
            known.erase(account.id);
        }
        bool certain = true;
        if (listing->complete) {
            OPENARCHIVER_TRY(certain, look_for_missing(known));
        } else {
            for (const auto& [id, record] : known) {
                if (record.state == sdk::AccountState::available) {
                    offered_.insert(id);
                }
            }
        }
        if (certain) {
            next_accounts_cursor_ = std::move(listing->cursor);
        }
        accounts_changed_ = listing->complete || !found.accounts.empty();
        return {};
    }

    /// Records what discovery tells about an account; `record` is what is known of it, if anything.
    Status take(sdk::Account account, const catalog::AccountRecord* record) {
        using enum sdk::AccountState;
        const bool offered = account.state == available;
        if (record != nullptr) {
            if (account.state == deleted_upstream && account.address.empty()) {
                account.address = record->address;
                account.display_name = record->display_name;
            }
            // What the mailbox itself told stands until it says otherwise: discovery only sees the
            // directory. What is said of an available one is a remark.
            const bool mailbox_told =
                account.state == available &&
                (record->state == available || record->state == closed_by_policy ||
                 record->state == without_mailbox);
            const bool undecided = account.undecided && record->state != deleted_upstream;
            if (mailbox_told || undecided) {
                account.state = record->state;
                account.reason = record->reason;
            }
        } else if (account.state == deleted_upstream) {
            return {};  // came and went unseen
        }
        if (account.state == available || (offered && !account.undecided)) {
            offered_.insert(account.id);
        }
        if (record != nullptr && record->address == account.address &&
            record->display_name == account.display_name && record->state == account.state &&
            record->reason == account.reason) {
            return {};
        }
        return put_for(account.id, catalog::AccountSeen{account.address, account.display_name,
                                                        account.state, account.reason});
    }

    /// What a complete listing did not show is asked for one by one before it counts as deleted.
    /// False: not all of that could be found out, so the listing has to be repeated.
    sdk::Result<bool> look_for_missing(
        const std::unordered_map<std::string, catalog::AccountRecord>& missing) {
        std::optional<Error> outage;
        for (const auto& [id, record] : missing) {
            if (record.state == sdk::AccountState::deleted_upstream) {
                continue;
            }
            sdk::Result<sdk::Account> account =
                outage ? *outage : run_.source.session->find_account(id, stop_.get_token());
            if (account) {
                OPENARCHIVER_CHECK(take(std::move(*account), &record));
            } else if (account.error().code == Errc::not_found) {
                OPENARCHIVER_CHECK(
                    put_for(id, catalog::AccountSeen{record.address, record.display_name,
                                                     sdk::AccountState::deleted_upstream,
                                                     "no longer listed by the service"}));
            } else if (account.error().code == Errc::cancelled ||
                       account.error().code == Errc::unauthenticated) {
                return account.error();
            } else {
                if (!outage) {
                    outage = account.error();
                    run_.log->warn(
                        "OA-2004 discovery: source={} account={} is not listed and could not be "
                        "asked for "
                        "by its id; it is taken as it was: code={} request_id={} {}",
                        source().id, id, to_string(outage->code), outage->request_id,
                        outage->message);
                }
                if (record.state == sdk::AccountState::available) {
                    offered_.insert(id);
                }
            }
        }
        return !outage;
    }

    /// The cursor of discovery counts once the accounts that it brought were visited: an account
    /// that is not available is asked again only when discovery reports it.
    Status keep_accounts_cursor() {
        if (!options_.accounts.empty() || unvisited_ || !next_accounts_cursor_ ||
            next_accounts_cursor_ == accounts_cursor_) {
            return {};
        }
        catalog::CursorAdvanced moved{catalog::CursorScope::accounts, "", next_accounts_cursor_};
        if (accounts_changed_) {
            return put(std::move(moved));
        }
        return run_.committer.note(
            {run_.now(), catalog::CursorMoved{source().id, "", std::move(moved)}},
            stop_.get_token());
    }

    /// Which accounts this run visits, and in which order: those that are available, those that
    /// discovery offers anew, and what was asked for by name (which may be another source's).
    Status select() {
        const auto wanted = [&](const catalog::AccountRecord& account) {
            if (options_.accounts.empty()) {
                return offered_.contains(account.id);
            }
            return account.state != sdk::AccountState::excluded &&
                   account.state != sdk::AccountState::deleted_upstream &&
                   std::any_of(
                       options_.accounts.begin(), options_.accounts.end(),
                       [&](const auto& w) { return w == account.id || w == account.address; });
        };
        // On a schedule, new mail of what was imported goes before; among imports, whoever has the
        // least so far. Where no other run is to follow, what was never archived comes first, so
        // that a short run gets round to everything.
        std::multimap<std::pair<bool, std::uint64_t>, const catalog::AccountRecord*> order;
        for (const auto& account : accounts_) {
            if (!wanted(account)) {
                continue;
            }
            std::uint64_t items = 0;
            if (!imported(account)) {
                OPENARCHIVER_TRY(const auto counts, run_.catalog.account_counts(account.key));
                items = counts.items;
            }
            order.emplace(std::pair(imported(account) != run_.next_run_at.has_value(), items),
                          &account);
        }
        for (const auto& [rank, account] : order) {
            waiting_.push_back({account, nullptr, {}, false});
        }
        return {};
    }

    static bool imported(const catalog::AccountRecord& account) {
        return account.first_pass_at != sdk::Timestamp{};
    }

    Status sync_accounts() {
        OPENARCHIVER_TRY(const auto failures, run_.catalog.failures(source().id));
        for (const auto& failure : failures) {
            if (!failure.accepted && failure.next_try_at <= run_.now()) {
                due_[failure.account].push_back(failure);
            }
        }
        const auto to_import = static_cast<std::size_t>(std::ranges::count_if(
            waiting_, [](const Turn& turn) { return !imported(*turn.account); }));
        run_.progress.forecast().begin(run_.source.session->limits(), to_import,
                                       waiting_.size() - to_import);
        workers_ = std::min<std::size_t>(
            std::max(1U, run_.source.session->limits().accounts_in_parallel), waiting_.size());
        {
            const std::jthread clock([this](const std::stop_token& stop) { watch_turns(stop); });
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < workers_; ++i) {
                threads.emplace_back([this] { work(); });
            }
        }
        const std::lock_guard lock(mutex_);
        const auto refused = settle_refusals();
        if (fatal_) {
            return *fatal_;
        }
        if (!refused || *refused) {
            return refused ? **refused : refused.error();
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

    /// An account's place in the line, or its turn on a worker.
    struct Turn {
        const catalog::AccountRecord* account = nullptr;
        std::shared_ptr<AccountSync> sync;  ///< kept from turn to turn
        std::chrono::steady_clock::time_point began;
        bool yielding = false;
    };

    /// So long an account has its worker to itself while others wait.
    [[nodiscard]] std::chrono::milliseconds turn_length() const {
        constexpr std::chrono::milliseconds kShortest{1'000};
        constexpr std::chrono::milliseconds kLongest{30'000};
        return std::clamp<std::chrono::milliseconds>(source().every / 4, kShortest, kLongest);
    }

    [[nodiscard]] bool next_run_is_due() const {
        return run_.next_run_at && std::chrono::steady_clock::now() >= *run_.next_run_at;
    }

    void work() {
        while (auto turn = begin_turn()) {
            const auto result = (*turn)->sync->execute(stop_.get_token());
            end_turn(*turn, result);
        }
    }

    std::optional<std::list<Turn>::iterator> begin_turn() {
        const std::lock_guard lock(mutex_);
        // Once the next run is due, imports go on there. Each run gives them some turns all the
        // same, however long the others took.
        if (!waiting_.empty() && !imported(*waiting_.front().account) && next_run_is_due() &&
            import_turns_ >= workers_) {
            for (const Turn& turn : waiting_) {
                if (turn.sync) {
                    turn.sync->count_moves();
                } else {
                    unvisited_ = true;
                }
            }
            waiting_.clear();
        }
        if (waiting_.empty() || stop_.stop_requested()) {
            return std::nullopt;
        }
        active_.splice(active_.end(), waiting_, waiting_.begin());
        const auto turn = std::prev(active_.end());
        const auto& account = *turn->account;
        turn->began = std::chrono::steady_clock::now();
        turn->yielding = false;
        if (!imported(account)) {
            ++import_turns_;
        }
        if (!turn->sync) {
            const auto due = due_.find(account.id);
            turn->sync = std::make_shared<AccountSync>(
                run_, account,
                due == due_.end() ? std::vector<catalog::FailureRecord>() : due->second);
            run_.progress.forecast().account_begun(account.id, !imported(account));
        }
        return turn;
    }

    void end_turn(std::list<Turn>::iterator turn, const AccountSync::Result& result) {
        record(*turn->account, *turn->sync, result);
        const std::lock_guard lock(mutex_);
        if (result.outcome == AccountSync::Outcome::unfinished) {
            if (!next_run_is_due()) {
                waiting_.splice(waiting_.end(), active_, turn);
                return;
            }
            turn->sync->count_moves();
        }
        run_.progress.forecast().account_ended(turn->account->id);
        active_.erase(turn);
    }

    /// Ends turns: while others wait for a worker, and once the next run is due.
    void watch_turns(const std::stop_token& stop) {
        constexpr std::chrono::milliseconds kLook{100};
        std::mutex none;
        std::unique_lock nothing(none);
        std::condition_variable_any never;
        while (!stop.stop_requested()) {
            never.wait_for(nothing, stop, kLook, [] { return false; });
            const auto now = std::chrono::steady_clock::now();
            const std::lock_guard lock(mutex_);
            if (waiting_.empty() && !next_run_is_due()) {
                continue;
            }
            for (Turn& turn : active_) {
                if (now - turn.began < turn_length()) {
                    continue;
                }
                if (!turn.yielding) {
                    turn.sync->yield();
                    turn.yielding = true;
                } else if (now - turn.began >= 2 * turn_length()) {
                    turn.sync->yield_at_once();
                }
            }
        }
    }

    void record(const catalog::AccountRecord& account, const AccountSync& sync,
                const AccountSync::Result& result) {
        const std::lock_guard lock(mutex_);
        results_[account.key] = result;
        visited_.insert(account.id);
        switch (result.outcome) {
            case AccountSync::Outcome::unfinished:
                if (sync.listed()) {
                    ++good_;
                    failures_in_a_row_ = 0;
                }
                return;
            case AccountSync::Outcome::up_to_date:
                ++good_;
                failures_in_a_row_ = 0;
                run_.progress.update([](SyncCounts& c) { ++c.up_to_date; });
                return;
            case AccountSync::Outcome::not_available:
                failures_in_a_row_ = 0;
                if (result.state == sdk::AccountState::closed_by_policy) {
                    refused_.push_back(&account);  // perhaps all of them are
                } else {
                    (void)told(account, result.state, result.reason);
                }
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
            "OA-2005 account failed: source={} account={} code={} service_code={} request_id={}: "
            "{}",
            account.source, account.id, to_string(error.code), error.service_code, error.request_id,
            error.message);
        const bool whole_source = error.code == Errc::unauthenticated ||
                                  error.code == Errc::invalid_config || result.local ||
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

    /// An account told about itself that there is nothing to archive. Services may give another
    /// reason each time; the first one stays.
    Status told(const catalog::AccountRecord& account, sdk::AccountState state,
                const std::string& reason) {
        if (account.state == state) {
            return {};
        }
        return put_for(account.id,
                       catalog::AccountSeen{account.address, account.display_name, state, reason});
    }

    /// Accounts that refused this application are closed to it if others are not. If all of them
    /// are, its permissions are missing: returns that error, and the accounts stay as they are.
    /// Called with mutex_ held.
    sdk::Result<std::optional<Error>> settle_refusals() {
        if (refused_.empty()) {
            return std::optional<Error>();
        }
        const bool others =
            good_ > 0 || std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& account) {
                return account.state == sdk::AccountState::available &&
                       account.first_pass_at != sdk::Timestamp{} && !visited_.contains(account.id);
            });
        if (!others && (unvisited_ || stop_.stop_requested())) {
            return std::optional<Error>();  // those that were not visited might have answered
        }
        std::optional<Error> error;
        for (const auto* account : refused_) {
            auto& result = results_[account->key];
            if (others) {
                OPENARCHIVER_CHECK(
                    told(*account, sdk::AccountState::closed_by_policy,
                         result.error ? "the service refuses it to this application, and not others"
                                      : result.reason));
                continue;
            }
            if (!result.error) {
                result.error = Error{Errc::permission_denied,
                                     "every account that was asked refuses this application; check "
                                     "what it was granted, and what limits it: " +
                                         result.reason};
            }
            result.outcome = AccountSync::Outcome::failed;
            if (account->state == sdk::AccountState::available) {
                OPENARCHIVER_CHECK(run_.committer.note(
                    {run_.now(),
                     catalog::AccountVisited{account->source, account->id, result.error}},
                    stop_.get_token()));
            }
            error = result.error;
        }
        return error;
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
    std::optional<sdk::Cursor> accounts_cursor_;
    std::optional<sdk::Cursor> next_accounts_cursor_;
    bool accounts_changed_ = false;
    std::vector<Error> problems_;
    std::unordered_set<std::string> offered_;  ///< ids of accounts to visit
    std::unordered_map<std::string, std::vector<catalog::FailureRecord>> due_;
    std::size_t workers_ = 0;

    std::mutex mutex_;  // guards everything below
    std::list<Turn> waiting_;
    std::list<Turn> active_;
    std::size_t import_turns_ = 0;
    bool unvisited_ = false;  ///< some account had no turn in this run
    std::map<std::int64_t, AccountSync::Result> results_;
    std::unordered_set<std::string> visited_;
    std::vector<const catalog::AccountRecord*> refused_;
    std::optional<Error> fatal_;
    std::optional<Error> outage_;
    std::optional<Error> denied_;
    std::size_t good_ = 0;
    int failures_in_a_row_ = 0;
};

constexpr std::chrono::days kRemindBefore{30};

/// Empty where there is nothing to be reminded of.
std::string expiry_reminder(const std::optional<sdk::Timestamp>& expires, sdk::Timestamp now) {
    if (!expires || *expires - now > kRemindBefore) {
        return {};
    }
    const std::string date = catalog::iso_time(*expires).substr(0, 10);
    if (*expires <= now) {
        return "the credential expired on " + date + ": renew it";
    }
    const auto days = std::chrono::floor<std::chrono::days>(*expires - now).count();
    return "the credential expires in " + std::to_string(days) + (days == 1 ? " day" : " days") +
           ", on " + date + ": renew it";
}

/// Once a day, however often the source runs.
void remind_of_expiry(OpenSource& source, const std::optional<sdk::Timestamp>& expires,
                      sdk::Timestamp now, spdlog::logger& log) {
    const auto today = std::chrono::floor<std::chrono::days>(now);
    const std::string reminder = expiry_reminder(expires, now);
    if (!reminder.empty() && source.reminded_on != today) {
        source.reminded_on = today;
        log.warn("OA-2010 credential expires: source={}: {}", source.profile.id, reminder);
    }
}

/// What the report of the last run says.
std::optional<sdk::Timestamp> reported_expiry(const std::string& run_report) {
    boost::system::error_code failure;
    const boost::json::value report = boost::json::parse(run_report, failure);
    const boost::json::object* object = failure ? nullptr : report.if_object();
    const boost::json::value* expires =
        object != nullptr ? object->if_contains("credentials_expire_at") : nullptr;
    return expires != nullptr && expires->is_string()
               ? catalog::parse_iso_time(std::string_view(expires->get_string()))
               : std::nullopt;
}

}  // namespace

sdk::Result<std::unique_ptr<OpenSource>> open_source(const access::Context& context,
                                                     const profile::Source& source,
                                                     plugin::SecretVault* vault,
                                                     sdk::Waker* waker) {
    OPENARCHIVER_TRY(auto* const provider, context.plugins.provider(source.provider));
    auto open = std::make_unique<OpenSource>();
    open->profile = source;
    plugin::PluginServices::Options options;
    options.owner = source.id;
    options.secrets = source.secrets;
    options.vault = vault;
    options.clock = &context.clock;
    options.waker = waker;
    options.state_folder = context.profile.archive.catalog_path / "state" / source.id;
    options.profile_folder = context.profile.folder;
    if (const std::string& url = context.profile.service.public_url; !url.empty()) {
        options.webhook_url = url + "/api/v1/sources/" + source.id + "/webhook";
    }
    OPENARCHIVER_TRY(open->services, plugin::PluginServices::open(context.log, std::move(options)));
    auto session = provider->open(source.config_json, open->services->host());
    if (!session) {
        session.error().message = "source '" + source.id + "': " + session.error().message;
        return session.error();
    }
    open->session = std::move(*session);
    return open;
}

namespace {

SyncReport run_sync(OpenSource& source, Committer& committer,
                    const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                    const std::shared_ptr<spdlog::logger>& log, const SyncOptions& options,
                    std::optional<std::chrono::steady_clock::time_point> next_run_at,
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
    const auto now = [&] { return sdk::timestamp_of(clock); };
    (void)committer.note({now(), catalog::RunStarted{report.source}}, {});
    {
        RunContext run{source,
                       committer,
                       **reader,
                       clock,
                       log,
                       progress,
                       catalog_folder / "spool",
                       options.reconcile,
                       next_run_at};
        SourceSync sync(std::move(run), options, stop);
        if (const auto status = sync.execute(); !status) {
            report.error = status.error();
        }
        // Also after a stop: what was fetched becomes durable, and nobody refers to `run` any more.
        if (const auto flushed = committer.flush({}); !flushed) {
            report.error = flushed.error();
        }
        report.problems = sync.problems();
        sync.count_accounts();
    }
    report.counts = progress.snapshot();
    for (const auto& [name, value] : source.services->metrics().snapshot()) {
        const auto before = metrics_before.find(name);
        report.metrics[name] = value - (before == metrics_before.end() ? 0 : before->second);
    }
    report.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady_now() - started);
    report.credentials_expire = source.session->credentials_expire();
    remind_of_expiry(source, report.credentials_expire, now(), *log);
    const bool stopped = report.error && report.error->code == Errc::cancelled;
    const auto ended = [&] {
        return catalog::RunEnded{report.source, stopped ? std::nullopt : report.error,
                                 to_json(report), stopped};
    };
    // Twice: the status is made from the first, and is part of the report in the second.
    (void)committer.note({now(), ended()}, {});
    (void)committer.flush({});
    if (const auto health = source_health(**reader, report.source, now()); health) {
        report.status = health->status;
        report.outstanding_failures = health->outstanding_failures;
        (void)committer.note({now(), ended()}, {});
        (void)committer.flush({});
    } else {
        report.status = SourceStatus::error;
    }
    // What fails here is told in the log, or ends the next run.
    (void)committer.tidy(stop);
    return report;
}

}  // namespace

SyncReport sync_source(OpenSource& source, Committer& committer,
                       const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                       const std::shared_ptr<spdlog::logger>& log, const SyncOptions& options,
                       SyncProgress& progress, std::stop_token stop) {
    return run_sync(source, committer, catalog_folder, clock, log, options, std::nullopt, progress,
                    std::move(stop));
}

SyncReport sync_on_schedule(OpenSource& source, Committer& committer,
                            const std::filesystem::path& catalog_folder, sdk::Clock& clock,
                            const std::shared_ptr<spdlog::logger>& log,
                            std::chrono::steady_clock::time_point next_run_at,
                            SyncProgress& progress, std::stop_token stop) {
    return run_sync(source, committer, catalog_folder, clock, log, {}, next_run_at, progress,
                    std::move(stop));
}

sdk::Result<SourceHealth> source_health(catalog::CatalogReader& catalog, std::string_view source_id,
                                        sdk::Timestamp now) {
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
    } else if (const auto problems = problems_of(source->run_report); !problems.empty()) {
        health.status = SourceStatus::attention;
        health.reason = problems.front().message;
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
    health.credentials_expire = reported_expiry(source->run_report);
    const std::string reminder = expiry_reminder(health.credentials_expire, now);
    if (!reminder.empty() && health.status != SourceStatus::error) {
        if (*health.credentials_expire <= now) {
            health.status = SourceStatus::attention;
        }
        health.reason += (health.reason.empty() ? "" : "; ") + reminder;
    }
    return health;
}

}  // namespace openarchiver::pipeline
