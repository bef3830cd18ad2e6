#include "pipeline/account_sync.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <random>

#include "catalog/properties.hpp"
#include "pipeline/message_headers.hpp"
#include "pipeline/reconcile_schedule.hpp"

namespace openarchiver::pipeline {

using namespace std::chrono_literals;
using sdk::Errc;
using sdk::Error;
using sdk::Flow;
using sdk::Status;

namespace {

constexpr std::size_t kQueuedTasks = 512;
constexpr std::size_t kMaxIdBytes = 2048;
constexpr int kFetchAttempts = 5;
/// A folder whose cursors keep expiring while it is listed is left for the next run.
constexpr int kListingsAnew = 3;
constexpr auto kFirstBackoff = 500ms;
/// A mailbox that is throttled for so long without a success is left for the next run.
constexpr auto kThrottlePatience = 15min;
/// Contents up to this stay in memory on their way; beyond, they spool.
constexpr std::uint64_t kSpoolMemory = 256U << 10;
constexpr std::size_t kHeadBytes = 256U << 10;
/// A cursor that only moved is written to the log this often.
constexpr auto kCursorLogInterval = 24h;
constexpr auto kCountNoteInterval = 1h;

std::uint64_t hash_of(std::string_view id) {
    return std::hash<std::string_view>{}(id);
}

/// What was archived without a tag is read once more when a listing gives one: it may have changed.
bool same_content(std::string_view known, std::string_view listed) {
    return known == listed || listed.empty();
}

Error cancelled() {
    return {Errc::cancelled, "stopped"};
}

/// Not the item's fault: the account's pass ends here, its cursor stays.
bool ends_the_pass(Errc code) {
    return code == Errc::cancelled || code == Errc::unauthenticated ||
           code == Errc::permission_denied || code == Errc::resource_exhausted ||
           is_retryable(code);
}

/// Reads the front of a content, for its headers.
sdk::Result<std::vector<std::byte>> head_of(archive::Spool& content) {
    if (const auto all = content.in_memory(); !all.empty()) {
        return std::vector<std::byte>(
            all.begin(),
            all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kHeadBytes)));
    }
    OPENARCHIVER_CHECK(content.rewind());
    std::vector<std::byte> head(std::min<std::uint64_t>(content.size(), kHeadBytes));
    std::size_t filled = 0;
    while (filled < head.size()) {
        OPENARCHIVER_TRY(const std::size_t n, content.read(std::span(head).subspan(filled)));
        if (n == 0) {
            break;
        }
        filled += n;
    }
    head.resize(filled);
    return head;
}

}  // namespace

/// Compares the folders that are reported with those that the catalog has.
class AccountSync::FolderListing final : public sdk::FolderSink {
public:
    explicit FolderListing(AccountSync& sync) : sync_(sync) {
        for (auto& record : sync.folders_) {
            known_.emplace(record.folder.id, &record);
        }
    }

    Flow folder(const sdk::Folder& folder) override {
        seen_.push_back(folder.id);
        if (folder.item_count) {
            sync_.counted_[folder.id] = *folder.item_count;
        }
        const auto known = known_.find(folder.id);
        if (known == known_.end() || changed(*known->second, folder)) {
            if (!sync_.put(catalog::FolderSeen{folder})) {
                return Flow::stop;
            }
        }
        if (known == known_.end()) {
            catalog::FolderRecord record;
            record.account_key = sync_.account_.key;
            record.folder = folder;
            added_.push_back(std::move(record));
        } else {
            auto& record = *known->second;
            record.removed_at = {};
            const auto count = folder.item_count ? folder.item_count : record.folder.item_count;
            record.folder = folder;
            record.folder.item_count = count;
        }
        return sync_.stop_.stop_requested() ? Flow::stop : Flow::proceed;
    }

    Flow folder_removed(std::string_view folder_id) override {
        remove(std::string(folder_id));
        return !status_ || sync_.stop_.stop_requested() ? Flow::stop : Flow::proceed;
    }

    /// After the listing: new folders join, and what a complete one did not name is gone. An error
    /// where not all of that was handed over: then the listing's cursor must not count.
    Status finish(bool complete) {
        if (complete) {
            std::sort(seen_.begin(), seen_.end());
            for (const auto& [id, record] : known_) {
                if (!std::binary_search(seen_.begin(), seen_.end(), id)) {
                    remove(id);
                }
            }
        }
        for (auto& record : added_) {
            sync_.folders_.push_back(std::move(record));
        }
        return status_;
    }

    void restart() {
        seen_.clear();
        added_.clear();
    }

private:
    static bool changed(const catalog::FolderRecord& record, const sdk::Folder& folder) {
        const auto& f = record.folder;
        return record.removed_at != sdk::Timestamp{} || f.parent_id != folder.parent_id ||
               f.display_name != folder.display_name ||
               f.well_known_name != folder.well_known_name || f.hidden != folder.hidden ||
               f.archived != folder.archived;
    }

    void remove(const std::string& id) {
        const auto known = known_.find(id);
        if (known == known_.end() || known->second->removed_at != sdk::Timestamp{}) {
            return;
        }
        known->second->removed_at = sync_.run_.now();
        known->second->cursor.reset();
        // What it held has left the account, or is found again in other folders.
        std::vector<std::string> orphans;
        keep(sync_.run_.catalog.visit_folder(
            known->second->key,
            [&](std::int64_t, std::string item) { orphans.push_back(std::move(item)); }));
        for (auto& item : orphans) {
            if (!status_) {
                return;
            }
            sync_.left_items_.insert(item);
            keep(sync_.put(catalog::ItemLeft{std::move(item), id}));
        }
        keep(sync_.put(catalog::FolderRemoved{id}));
    }

    void keep(const Status& status) {
        if (status_ && !status) {
            status_ = status;
        }
    }

    AccountSync& sync_;
    std::unordered_map<std::string, catalog::FolderRecord*> known_;
    std::vector<catalog::FolderRecord> added_;
    std::vector<std::string> seen_;
    Status status_;
};

/// Turns what a provider reports of a folder's items into work.
class AccountSync::ItemListing final : public sdk::ItemSink {
public:
    ItemListing(AccountSync& sync, std::shared_ptr<FolderPass> pass)
        : sync_(sync), pass_(std::move(pass)) {}

    Flow item(const sdk::Item& item) override {
        if (item.id.empty() || item.id.size() > kMaxIdBytes ||
            item.id.find('\0') != std::string::npos) {
            return flow(Error{Errc::internal, "the provider reported an item with a malformed id"});
        }
        return flow(sync_.listed(item, pass_));
    }

    Flow item_left(std::string_view item_id) override {
        return flow(sync_.left(std::string(item_id), pass_));
    }

    Flow item_failed(std::string_view item_id, const Error& error) override {
        if (pass_->compare) {
            pass_->seen.push_back(hash_of(item_id));  // it is there
        }
        sdk::Item item;
        item.id = item_id;
        return flow(sync_.failed(item, error, pass_));
    }

    Flow checkpoint(const sdk::Cursor& cursor) override {
        const Flow next = flow(sync_.checkpoint(cursor, pass_));
        // A listing that is compared at its end can't be continued in another turn.
        return sync_.yielding_ && !pass_->compare ? Flow::stop : next;
    }

    void remark(std::string_view text) override { sync_.remark(text); }

private:
    Flow flow(const Status& status) {
        if (!status) {
            sync_.abort(status.error());
        }
        return status && !sync_.stop_.stop_requested() ? Flow::proceed : Flow::stop;
    }

    AccountSync& sync_;
    std::shared_ptr<FolderPass> pass_;
};

AccountSync::AccountSync(RunContext& run, catalog::AccountRecord account,
                         std::vector<catalog::FailureRecord> due_failures)
    : run_(run), account_(std::move(account)), due_failures_(std::move(due_failures)) {}

AccountSync::Result AccountSync::execute(std::stop_token stop) {
    const std::stop_callback forward(stop, [this] { stop_.request_stop(); });
    {
        const std::lock_guard lock(mutex_);
        turn_ = std::stop_source();
        yielding_ = false;
    }
    const std::stop_callback end_turn(stop_.get_token(), [this] { turn_source().request_stop(); });
    Status status;
    if (!listed_) {
        status = list_folders();
        if (status && state_ != sdk::AccountState::available) {
            return {.outcome = Outcome::not_available, .state = state_, .reason = state_reason_};
        }
        if (!status && status.error().code == Errc::permission_denied) {
            // Refused from the start: the run finds out whether others are as well.
            return {.outcome = Outcome::not_available,
                    .state = sdk::AccountState::closed_by_policy,
                    .error = status.error()};
        }
        listed_ = status.has_value();
        if (listed_) {
            retry_failures();
        }
    }
    if (status) {
        status = visit_folders();
    }
    if (status && !yielding_) {
        run_.progress.forecast().listed(account_.id);
    }
    wait_for_fetches();
    end_visits();
    bool local = false;
    {
        const std::lock_guard lock(mutex_);
        local = spool_failed_;
        if (error_ && error_->code != Errc::cancelled) {
            status = *error_;
        } else if (error_ || stop.stop_requested()) {
            status = status ? cancelled() : status;
        } else if (yielding_ && (status ? !all_done() : status.error().code == Errc::cancelled)) {
            return {.outcome = Outcome::unfinished};
        }
    }
    count_moves();
    if (!status) {
        if (status.error().code != Errc::cancelled) {
            note(catalog::AccountVisited{account_.source, account_.id, status.error()});
        }
        return {.outcome = Outcome::failed, .error = status.error(), .local = local};
    }
    const bool was_available = account_.state == sdk::AccountState::available;
    if (remark_ != (was_available ? account_.reason : "")) {
        (void)put(catalog::AccountSeen{account_.address, account_.display_name, state_, remark_});
    }
    note_comparison();
    if (folder_failed_) {
        return {.outcome = Outcome::failed};
    }
    if (account_.first_pass_at == sdk::Timestamp{}) {
        (void)put(catalog::PassCompleted{});
    }
    note(catalog::AccountVisited{account_.source, account_.id, std::nullopt});
    return {};
}

Status AccountSync::visit_folders() {
    done_.resize(folders_.size());
    for (std::size_t i = 0; i < folders_.size(); ++i) {
        const auto& record = folders_[i];
        if (stop_.stop_requested() || yielding_) {
            return {};
        }
        if (done_[i]) {
            continue;
        }
        if (!record.folder.archived || record.removed_at != sdk::Timestamp{}) {
            done_[i] = true;
            continue;
        }
        OPENARCHIVER_CHECK(visit_folder(i));
    }
    return {};
}

Status AccountSync::visit_folder(std::size_t index) {
    auto pass = std::make_shared<FolderPass>();
    pass->record = folders_[index];
    {
        const std::lock_guard lock(mutex_);
        visits_.push_back({index, pass});
    }
    const auto synced = sync_folder(pass);
    if (!synced) {
        const Error& error = synced.error();
        if (error.code == Errc::cancelled || error.code == Errc::unauthenticated ||
            error.code == Errc::permission_denied || is_retryable(error.code)) {
            // Another turn, or not this folder's fault: the account, or everything, can't be read.
            return error;
        }
        if (error.code != Errc::not_found) {  // else: gone, the next listing tells
            run_.log->warn("OA-2006 folder failed: source={} account={} folder={} code={} {}",
                           account_.source, account_.id, pass->record.folder.id,
                           to_string(error.code), error.message);
            folder_failed_ = true;
            run_.progress.update([](SyncCounts& c) { ++c.failed_folders; });
            note(catalog::FolderVisited{account_.source, account_.id, pass->record.folder.id,
                                        error});
        }
        done_[index] = true;
        return {};
    }
    const std::lock_guard lock(mutex_);
    visits_.back().listed = true;
    return {};
}

/// All fetches of the turn have ended: which folders are done, and where the others go on.
void AccountSync::end_visits() {
    std::vector<Visit> visits;
    {
        const std::lock_guard lock(mutex_);
        visits.swap(visits_);
    }
    for (const auto& visit : visits) {
        auto& record = folders_[visit.folder];
        const std::lock_guard order(visit.pass->order);
        record.cursor = visit.pass->record.cursor;
        record.cursor_logged_at = visit.pass->record.cursor_logged_at;
        const std::lock_guard lock(mutex_);
        const bool fetched = std::none_of(visit.pass->epochs.begin(), visit.pass->epochs.end(),
                                          [](const auto& epoch) { return epoch.outstanding > 0; });
        if (visit.listed && fetched) {
            done_[visit.folder] = true;
            if (visit.pass->last_cursor) {
                visited_.push_back(record.folder.id);
            }
        }
    }
}

bool AccountSync::all_done() const {
    return std::all_of(done_.begin(), done_.end(), [](bool done) { return done; });
}

void AccountSync::yield() {
    yielding_ = true;
}

void AccountSync::yield_at_once() {
    std::vector<Visit> visits;
    {
        const std::lock_guard lock(mutex_);
        visits = visits_;
        for (const auto& visit : visits) {
            if (visit.pass->compare) {
                return;
            }
        }
    }
    // A folder that has no cursor yet would be listed from its beginning, and compared, next time.
    for (const auto& visit : visits) {
        const std::lock_guard order(visit.pass->order);
        if (!visit.pass->record.cursor) {
            return;
        }
    }
    turn_source().request_stop();
}

std::stop_source AccountSync::turn_source() {
    const std::lock_guard lock(mutex_);
    return turn_;
}

Status AccountSync::list_folders() {
    OPENARCHIVER_TRY(folders_, run_.catalog.folders(account_.key));
    for (const auto& record : folders_) {
        if (record.folder.item_count) {
            recorded_counts_[record.folder.id] = *record.folder.item_count;
        }
    }
    std::optional<sdk::Cursor> cursor = account_.folders_cursor;
    if (lists_anew("", account_.last_pass_at)) {
        cursor.reset();
    }
    FolderListing listing(*this);
    const std::stop_token stop = turn_source().get_token();
    auto result = run_.source.session->list_folders(account_.id, cursor, listing, stop);
    if (!result && result.error().code == Errc::cursor_expired && cursor) {
        listing.restart();
        result = run_.source.session->list_folders(account_.id, std::nullopt, listing, stop);
    }
    if (!result) {
        return result.error();
    }
    if (result->account_state != sdk::AccountState::available) {
        state_ = result->account_state;
        state_reason_ = result->reason;
        return {};
    }
    if (account_.state != sdk::AccountState::available) {
        OPENARCHIVER_CHECK(put(catalog::AccountSeen{account_.address, account_.display_name,
                                                    sdk::AccountState::available, ""}));
    }
    OPENARCHIVER_CHECK(listing.finish(result->complete));
    note_counts();
    if (result->cursor && result->cursor != account_.folders_cursor) {
        catalog::CursorAdvanced moved{catalog::CursorScope::folders, "", result->cursor};
        if (account_.folders_cursor) {
            note(catalog::CursorMoved{account_.source, account_.id, std::move(moved)});
        } else {
            OPENARCHIVER_CHECK(put(std::move(moved)));
        }
    }
    std::uint64_t expected = 0;
    for (const auto& record : folders_) {
        if (record.folder.archived && !record.cursor && record.removed_at == sdk::Timestamp{}) {
            expected += record.folder.item_count.value_or(0);
        }
    }
    run_.progress.update([&](SyncCounts& c) { c.expected_items += expected; });
    run_.progress.forecast().announced(account_.id, expected);
    return {};
}

/// What the service said that folders hold, for the coverage report. Said again and again, it is
/// noted once an hour.
void AccountSync::note_counts() {
    catalog::FoldersCounted counted{account_.source, account_.id, {}};
    for (const auto& record : folders_) {
        const auto told = counted_.find(record.folder.id);
        if (told == counted_.end()) {
            continue;
        }
        const bool same = recorded_counts_.contains(record.folder.id) &&
                          recorded_counts_.at(record.folder.id) == told->second;
        if (!same || run_.now() - record.counted_at >= kCountNoteInterval) {
            counted.counts.push_back({record.folder.id, told->second});
        }
    }
    if (!counted.counts.empty()) {
        note(std::move(counted));
    }
}

/// What was counted in this pass and visited after it is compared with what the archive has now.
void AccountSync::note_comparison() {
    catalog::FoldersCompared compared{account_.source, account_.id, {}};
    for (auto& folder : visited_) {
        if (counted_.contains(folder)) {
            compared.folders.push_back(std::move(folder));
        }
    }
    if (!compared.folders.empty()) {
        note(std::move(compared));
    }
}

Status AccountSync::sync_folder(const std::shared_ptr<FolderPass>& pass) {
    std::optional<sdk::Cursor> cursor = pass->record.cursor;
    if (lists_anew(pass->record.folder.id, pass->record.synced_at)) {
        cursor.reset();
    }
    auto status = sync_folder_once(pass, cursor);
    for (int again = 0; again < kListingsAnew; ++again) {
        if (status || status.error().code != Errc::cursor_expired) {
            break;
        }
        run_.log->info("OA-2009 cursor expired, listing anew: source={} account={} folder={}",
                       account_.source, account_.id, pass->record.folder.id);
        status = sync_folder_once(pass, std::nullopt);
    }
    if (!status) {
        Error& error = status.error();
        if (error.code == Errc::cursor_expired) {
            error.code = Errc::internal;
            error.message = "the service refuses the cursor of a new listing: " + error.message;
        }
        return status;
    }
    // Without a checkpoint, the service was not asked: nothing speaks for a change.
    if (pass->last_cursor || !cursor) {
        note(catalog::FolderVisited{account_.source, account_.id, pass->record.folder.id,
                                    std::nullopt});
    }
    return {};
}

Status AccountSync::sync_folder_once(const std::shared_ptr<FolderPass>& pass,
                                     const std::optional<sdk::Cursor>& cursor) {
    {
        const std::lock_guard lock(mutex_);
        pass->had_cursor = cursor.has_value();
        pass->compare = false;
        pass->seen.clear();
        if (pass->epochs.empty()) {
            pass->epochs.emplace_back();
        }
    }
    if (!cursor && pass->record.key != 0) {
        OPENARCHIVER_TRY(const auto held, run_.catalog.folder_count(pass->record.key));
        pass->compare = held > 0;
    }
    ItemListing listing(*this, pass);
    OPENARCHIVER_CHECK(run_.source.session->sync_folder(account_.id, pass->record.folder.id, cursor,
                                                        listing, turn_source().get_token()));
    if (turn_source().stop_requested()) {
        return cancelled();
    }
    if (pass->compare) {
        OPENARCHIVER_CHECK(mark_unseen_as_left(pass));
        const std::lock_guard lock(mutex_);
        pass->epochs.back().closed = true;
        pass->epochs.back().cursor = pass->last_cursor;
    }
    hand_over_cursors(pass);
    return {};
}

/// Whether a folder (or, with an empty id, the list of folders) is listed whole in this run.
bool AccountSync::lists_anew(const std::string& folder_id, sdk::Timestamp last) const {
    return run_.reconcile || reconcile_due(account_.id, folder_id, last, run_.now(),
                                           run_.source.profile.reconcile_every);
}

/// A full listing has ended: what the folder held and the listing did not show has left it.
Status AccountSync::mark_unseen_as_left(const std::shared_ptr<FolderPass>& pass) {
    std::sort(pass->seen.begin(), pass->seen.end());
    std::vector<std::string> unseen;
    OPENARCHIVER_CHECK(
        run_.catalog.visit_folder(pass->record.key, [&](std::int64_t, std::string id) {
            if (!std::binary_search(pass->seen.begin(), pass->seen.end(), hash_of(id))) {
                unseen.push_back(std::move(id));
            }
        }));
    for (const auto& id : unseen) {
        OPENARCHIVER_CHECK(left(id, pass));
    }
    return {};
}

/// Recorded failures whose time has come. Their outcome is not bound to a cursor.
void AccountSync::retry_failures() {
    for (const auto& failure : due_failures_) {
        auto pass = std::make_shared<FolderPass>();
        pass->record.key = failure.folder_key;
        pass->record.folder.id = failure.folder;
        pass->epochs.emplace_back();
        Task task = begin(failure.item, pass);
        task.retry = true;
        task.known = failure.archived.has_value();
        if (!enqueue(std::move(task))) {
            return;
        }
    }
}

/// Looks an item up among those on their way and in the catalog. While its content is being
/// fetched, what was told is kept to be done afterwards.
sdk::Result<AccountSync::Standing> AccountSync::standing(const sdk::Item& item, FollowUp::Kind told,
                                                         const std::shared_ptr<FolderPass>& pass) {
    const std::string& folder = pass->record.folder.id;
    Standing result;
    bool on_its_way_here = false;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = pending_.find(item.id); found != pending_.end()) {
            Pending& pending = found->second;
            result.known = true;
            result.same_content = same_content(pending.content_tag, item.content_tag);
            on_its_way_here = pending.folder == folder;
            if (!pending.handed_over) {
                result.deferred = true;
                if (told == FollowUp::Kind::placed && !result.same_content) {
                    told = FollowUp::Kind::changed;
                }
                const bool news = told != FollowUp::Kind::placed || !on_its_way_here ||
                                  !pending.follow_ups.empty();
                if (news) {
                    Epoch& epoch = pass->epochs.back();
                    ++epoch.outstanding;
                    pending.follow_ups.push_back({told, item, pass, &epoch});
                    pass->events = true;
                    pass->changed_placements[item.id] = told != FollowUp::Kind::left;
                }
                return result;
            }
        }
    }
    OPENARCHIVER_TRY(const auto known, run_.catalog.find_item(account_.key, item.id, folder));
    if (!result.known && known) {
        result.known = true;
        result.same_content = known->disposed || same_content(known->content_tag, item.content_tag);
    }
    const auto changed = pass->changed_placements.find(item.id);
    result.in_folder = changed != pass->changed_placements.end()
                           ? changed->second
                           : on_its_way_here || (known && known->in_folder);
    return result;
}

Status AccountSync::listed(const sdk::Item& item, const std::shared_ptr<FolderPass>& pass) {
    if (pass->compare) {
        pass->seen.push_back(hash_of(item.id));
    }
    OPENARCHIVER_TRY(const auto now, standing(item, FollowUp::Kind::placed, pass));
    if (now.deferred) {
        return {};
    }
    if (now.known && now.same_content) {
        if (!pass->had_cursor) {
            run_.progress.forecast().known(account_.id);
        }
        if (now.in_folder) {
            run_.progress.update([](SyncCounts& c) { ++c.unchanged; });
            return {};
        }
        pass->events = true;
        pass->changed_placements[item.id] = true;
        {
            const std::lock_guard lock(mutex_);
            placed_items_.insert(item.id);
        }
        return put(catalog::ItemPlaced{item.id, pass->record.folder.id});
    }
    Task task = begin(item, pass);
    task.known = now.known;
    pass->events = true;
    if (pass->had_cursor) {
        run_.progress.update([](SyncCounts& c) { ++c.expected_items; });
    }
    return enqueue(std::move(task));
}

Status AccountSync::left(const std::string& item_id, const std::shared_ptr<FolderPass>& pass) {
    sdk::Item item;
    item.id = item_id;
    OPENARCHIVER_TRY(const auto now, standing(item, FollowUp::Kind::left, pass));
    if (now.deferred || !now.in_folder) {
        return {};
    }
    pass->events = true;
    pass->changed_placements[item_id] = false;
    {
        const std::lock_guard lock(mutex_);
        left_items_.insert(item_id);
    }
    return put(catalog::ItemLeft{item_id, pass->record.folder.id});
}

Status AccountSync::failed(const sdk::Item& item, const Error& error,
                           const std::shared_ptr<FolderPass>& pass) {
    pass->events = true;
    run_.progress.update([](SyncCounts& c) { ++c.failed_items; });
    run_.log->warn(
        "OA-2007 item failed: source={} account={} item={} code={} service_code={} request_id={}",
        account_.source, account_.id, item.id, to_string(error.code), error.service_code,
        error.request_id);
    return put(catalog::ItemFailed{item, pass->record.folder.id, error});
}

Status AccountSync::checkpoint(const sdk::Cursor& cursor, const std::shared_ptr<FolderPass>& pass) {
    pass->last_cursor = cursor;
    {
        const std::lock_guard lock(mutex_);
        if (error_) {
            return *error_;  // something told before it was not handed over
        }
        if (pass->compare) {
            return {};  // counts at the end, together with what has left
        }
        pass->epochs.back().closed = true;
        pass->epochs.back().cursor = cursor;
        pass->epochs.emplace_back();
    }
    hand_over_cursors(pass);
    return stop_.stop_requested() ? Status(cancelled()) : Status();
}

/// One is enough: they concern the account, and its folders tell the same.
void AccountSync::remark(std::string_view text) {
    if (remark_.empty()) {
        remark_ = text;
    }
}

AccountSync::Task AccountSync::begin(const sdk::Item& item, const std::shared_ptr<FolderPass>& pass,
                                     Epoch* epoch) {
    const std::lock_guard lock(mutex_);
    return begin_locked(item, pass, epoch);
}

AccountSync::Task AccountSync::begin_locked(const sdk::Item& item,
                                            const std::shared_ptr<FolderPass>& pass, Epoch* epoch) {
    Task task;
    task.item = item;
    task.folder = pass;
    task.epoch = epoch != nullptr ? epoch : &pass->epochs.back();
    task.number = ++task_numbers_;
    ++task.epoch->outstanding;
    Pending& pending = pending_[item.id];
    pending = {};
    pending.task = task.number;
    pending.content_tag = item.content_tag;
    pending.folder = pass->record.folder.id;
    return task;
}

Status AccountSync::enqueue(Task task) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop_.get_token(), [&] { return tasks_.size() < kQueuedTasks; })) {
        return cancelled();
    }
    tasks_.push_back(std::move(task));
    run_.progress.forecast().wanted(account_.id);
    const std::size_t wanted = std::max(1U, run_.source.session->limits().readers_per_account);
    if (fetchers_.size() < wanted && fetchers_.size() < tasks_.size() + fetching_) {
        fetchers_.emplace_back([this](std::stop_token stop) { fetch_loop(std::move(stop)); });
    }
    changed_.notify_all();
    return {};
}

void AccountSync::fetch_loop(std::stop_token stop) {
    while (true) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [&] { return !tasks_.empty(); })) {
                return;
            }
            task = std::move(tasks_.front());
            tasks_.pop_front();
            ++fetching_;
            changed_.notify_all();
        }
        if (!turn_source().get_token().stop_requested()) {
            process(std::move(task));
        }
        const std::lock_guard lock(mutex_);
        --fetching_;
        changed_.notify_all();
    }
}

void AccountSync::process(Task task) {
    auto content = fetch([&] {
        return run_.source.session->open_content(account_.id, task.item.id, stop_.get_token());
    });
    bool archived = content.has_value();
    Status status;
    if (content) {
        status = put_content(task, std::move(*content), catalog::Fidelity::exact);
    } else if (const Error& error = content.error(); ends_the_pass(error.code)) {
        status = error;
    } else if (error.code == Errc::not_found) {
        run_.progress.update([](SyncCounts& c) { ++c.gone_before_fetch; });
        if (task.retry) {
            status = put(catalog::FailureSettled{task.item.id, false});
        }
    } else if (auto rest = fetch_reconstruction(task, error); !rest) {
        status = rest.error();
    } else {
        status = put_failure(task, error);
        if (status && *rest) {
            status = put_content(task, std::move(**rest), catalog::Fidelity::reconstructed);
            archived = true;
        }
    }
    if (!status) {
        const bool turn_over = status.error().code == Errc::cancelled && !stop_.stop_requested() &&
                               turn_source().stop_requested();
        if (!turn_over) {  // else: dropped, and listed again in the next turn
            abort(status.error());
        }
        return;
    }
    run_.progress.forecast().settled(account_.id);
    conclude(task, archived);
}

Status AccountSync::put_content(const Task& task, Fetched content, catalog::Fidelity fidelity) {
    MessageHeaders headers;
    if (task.item.media_type == "message/rfc822") {
        auto head = head_of(*content.bytes);
        if (!head) {
            return spool_failed(head.error());
        }
        headers = read_headers(*head);
    } else {
        headers.subject = task.item.title;
    }
    catalog::ItemArchived event;
    event.item = task.item.id;
    event.content_tag = task.item.content_tag;
    event.media_type = task.item.media_type;
    event.folder = task.folder->record.folder.id;
    event.content = content.digest;
    const std::uint64_t size = content.bytes->size();
    event.size = size;
    event.received_at = task.item.received_at ? task.item.received_at : headers.date;
    event.message_id = std::move(headers.message_id);
    event.subject = std::move(headers.subject);
    event.from = std::move(headers.from);
    event.properties = catalog::properties_text(task.item.properties);
    event.fidelity = fidelity;
    auto split = archive::split_content(std::move(*content.bytes), run_.spool_folder);
    if (!split) {
        return spool_failed(split.error());
    }
    return put(std::move(event), std::make_unique<archive::SplitContent>(std::move(*split)),
               [self = shared_from_this(), task, size, fidelity] {
                   self->acknowledged(task, size, fidelity);
               });
}

Status AccountSync::put_failure(const Task& task, const Error& error) {
    if (!task.retry) {
        return failed(task.item, error, task.folder);
    }
    run_.progress.update([](SyncCounts& c) { ++c.failed_items; });
    note(catalog::RetryFailed{account_.source, account_.id, task.item.id, error});
    return {};
}

sdk::Result<std::optional<AccountSync::Fetched>> AccountSync::fetch_reconstruction(
    const Task& task, const Error& why) {
    OPENARCHIVER_TRY(const auto known, run_.catalog.find_item(account_.key, task.item.id,
                                                              task.folder->record.folder.id));
    if (known && known->fidelity == catalog::Fidelity::reconstructed &&
        known->content_tag == task.item.content_tag) {
        return std::optional<Fetched>();
    }
    auto content = fetch([&] {
        return run_.source.session->reconstruct_content(account_.id, task.item.id, why,
                                                        stop_.get_token());
    });
    if (content) {
        return std::optional(std::move(*content));
    }
    if (ends_the_pass(content.error().code)) {
        return content.error();
    }
    if (content.error().code != Errc::unsupported) {
        run_.log->warn(
            "OA-2008 item could not be reconstructed: source={} account={} item={} code={} {}",
            account_.source, account_.id, task.item.id, to_string(content.error().code),
            content.error().message);
    }
    return std::optional<Fetched>();
}

/// The task's event is on its way (or there is none): what was told of the item meanwhile follows.
void AccountSync::conclude(const Task& task, bool archived) {
    const bool there = archived || task.known;
    const auto needs_fetch = [&](const FollowUp& told) {
        switch (told.kind) {
            case FollowUp::Kind::placed:
                return !there;
            case FollowUp::Kind::changed:
                return !archived || !same_content(task.item.content_tag, told.item.content_tag);
            case FollowUp::Kind::left:
                break;
        }
        return false;
    };
    std::vector<FollowUp> follow_ups;
    std::optional<Task> again;
    {
        const std::lock_guard lock(mutex_);
        if (const auto found = pending_.find(task.item.id); found != pending_.end()) {
            follow_ups = std::exchange(found->second.follow_ups, {});
            const auto fetch = std::find_if(follow_ups.begin(), follow_ups.end(), needs_fetch);
            if (fetch != follow_ups.end()) {
                again = begin_locked(fetch->item, fetch->folder, fetch->epoch);
                again->known = there;
                // What was told after it still comes after it.
                pending_[task.item.id].follow_ups.assign(std::make_move_iterator(fetch + 1),
                                                         std::make_move_iterator(follow_ups.end()));
                follow_ups.erase(fetch + 1, follow_ups.end());
            } else {
                found->second.handed_over = true;
                // What was not archived stays unknown to the next listing that shows it.
                if (found->second.durable || !archived) {
                    pending_.erase(found);
                }
            }
        }
    }
    for (const auto& next : follow_ups) {
        Status status;
        const std::string& folder = next.folder->record.folder.id;
        if (again && &next == &follow_ups.back()) {
            // Past the limit of the queue: a fetcher must not wait for itself.
            const std::lock_guard lock(mutex_);
            tasks_.push_front(std::move(*again));
            changed_.notify_all();
        } else if (next.kind != FollowUp::Kind::left) {
            status = put(catalog::ItemPlaced{next.item.id, folder});
        } else if (there) {
            {
                const std::lock_guard lock(mutex_);
                left_items_.insert(next.item.id);
            }
            status = put(catalog::ItemLeft{next.item.id, folder});
        }
        if (!status) {
            abort(status.error());
            return;
        }
        finish(next.epoch, next.folder);
    }
    finish(task.epoch, task.folder);
}

void AccountSync::finish(Epoch* epoch, const std::shared_ptr<FolderPass>& pass) {
    {
        const std::lock_guard lock(mutex_);
        --epoch->outstanding;
    }
    hand_over_cursors(pass);
}

/// Hands over the cursor of the last epoch up to which everything was handed over.
void AccountSync::hand_over_cursors(const std::shared_ptr<FolderPass>& pass) {
    const std::lock_guard order(pass->order);
    std::optional<sdk::Cursor> cursor;
    {
        const std::lock_guard lock(mutex_);
        while (!pass->epochs.empty() && pass->epochs.front().closed &&
               pass->epochs.front().outstanding == 0) {
            if (pass->epochs.front().cursor) {
                cursor = std::move(pass->epochs.front().cursor);
            }
            pass->epochs.pop_front();
        }
    }
    if (!cursor || cursor == pass->record.cursor) {
        return;
    }
    const bool first = !pass->record.cursor;
    pass->record.cursor = cursor;
    catalog::CursorAdvanced moved{catalog::CursorScope::folder, pass->record.folder.id, cursor};
    if (pass->events || first || run_.now() - pass->record.cursor_logged_at >= kCursorLogInterval) {
        if (const auto status = put(std::move(moved)); !status) {
            abort(status.error());
        }
        pass->record.cursor_logged_at = run_.now();
    } else {
        note(catalog::CursorMoved{account_.source, account_.id, std::move(moved)});
    }
}

void AccountSync::acknowledged(const Task& task, std::uint64_t bytes, catalog::Fidelity fidelity) {
    run_.progress.update([&](SyncCounts& c) {
        ++(fidelity == catalog::Fidelity::reconstructed ? c.reconstructed
           : task.known                                 ? c.changed
                                                        : c.new_items);
        c.archived_bytes += bytes;
    });
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(task.item.id);
    if (found == pending_.end() || found->second.task != task.number) {
        return;
    }
    found->second.durable = true;
    if (found->second.handed_over) {
        pending_.erase(found);
    }
}

/// An item that left one folder and is in another has moved.
void AccountSync::count_moves() {
    const std::lock_guard lock(mutex_);
    const auto left = std::count_if(left_items_.begin(), left_items_.end(),
                                    [&](const auto& id) { return !placed_items_.contains(id); });
    run_.progress.update([&](SyncCounts& c) {
        c.moved += placed_items_.size();
        c.left += static_cast<std::uint64_t>(left);
    });
}

/// What was not fetched in this turn is listed again in the next.
void AccountSync::forget_dropped_tasks() {
    const std::lock_guard lock(mutex_);
    auto dropped =
        std::erase_if(pending_, [](const auto& entry) { return !entry.second.handed_over; });
    for (; dropped > 0; --dropped) {
        run_.progress.forecast().settled(account_.id);
    }
}

void AccountSync::wait_for_fetches() {
    std::vector<std::jthread> fetchers;
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock,
                      [&] { return fetching_ == 0 && (tasks_.empty() || turn_.stop_requested()); });
        tasks_.clear();
        fetchers.swap(fetchers_);
    }
    for (auto& fetcher : fetchers) {
        fetcher.request_stop();
    }
    fetchers.clear();  // joins them
    forget_dropped_tasks();
}

void AccountSync::abort(Error error) {
    {
        const std::lock_guard lock(mutex_);
        if (!error_ || error_->code == Errc::cancelled) {
            error_ = std::move(error);
        }
        changed_.notify_all();
    }
    stop_.request_stop();
}

/// Tries until the content is there, or until it is clear whose fault it is that it is not.
sdk::Result<AccountSync::Fetched> AccountSync::fetch(const OpenContent& open) {
    thread_local std::minstd_rand random(std::random_device{}());
    auto backoff = kFirstBackoff;
    std::chrono::milliseconds throttled{0};
    // An item's failure is its own fault if the account can be read otherwise.
    const auto blame = [&](const Error& error, Errc code, const std::string& why) {
        if (const auto probe = run_.source.session->probe(account_.id, stop_.get_token()); !probe) {
            return probe.error();
        }
        Error own = error;
        own.code = code;
        own.message = why + error.message;
        return own;
    };
    for (int attempt = 1;;) {
        const auto started = Forecast::Clock::now();
        auto content = fetch_once(open);
        if (content) {
            run_.progress.forecast().took(Forecast::Clock::now() - started);
        }
        if (!content && content.error().code == Errc::permission_denied) {
            return blame(content.error(), Errc::unsupported,
                         "is refused while its account can be read: ");
        }
        if (content || !is_retryable(content.error().code)) {
            return content;
        }
        const Error& error = content.error();
        std::chrono::milliseconds wait = backoff;
        if (error.code == Errc::rate_limited) {
            wait = error.retry_after.value_or(backoff);
            throttled += wait;
            if (throttled > kThrottlePatience) {
                return content;
            }
        } else {
            if (attempt == kFetchAttempts) {
                return blame(error, Errc::corrupt,
                             "could not be fetched in " + std::to_string(kFetchAttempts) +
                                 " tries while its account could be read: ");
            }
            ++attempt;
            wait = std::max(wait, error.retry_after.value_or(0ms));
            backoff *= 2;
        }
        wait += wait * static_cast<int>(random() % 20) / 100;
        run_.source.services->host().metrics.add("content_wait_milliseconds_total",
                                                 static_cast<std::uint64_t>(wait.count()));
        if (!sleep(wait)) {
            return cancelled();
        }
    }
}

sdk::Result<AccountSync::Fetched> AccountSync::fetch_once(const OpenContent& open) {
    OPENARCHIVER_TRY(auto reader, open());
    auto content = std::make_unique<archive::Spool>(run_.spool_folder, kSpoolMemory);
    archive::Sha256 hash;
    thread_local std::vector<std::byte> buffer(64U << 10);
    while (true) {
        OPENARCHIVER_TRY(const std::size_t n, reader->read(buffer));
        if (n == 0) {
            break;
        }
        const auto bytes = std::span(buffer).first(n);
        hash.update(bytes);
        if (const auto written = content->write(bytes); !written) {
            return spool_failed(written.error());
        }
        if (stop_.stop_requested()) {
            return cancelled();
        }
    }
    return Fetched{std::move(content), hash.finish()};
}

/// Never an item's or the service's fault: the run can't go on here.
Error AccountSync::spool_failed(Error error) {
    error.code = Errc::resource_exhausted;
    const std::lock_guard lock(mutex_);
    spool_failed_ = true;
    return error;
}

Status AccountSync::put(catalog::EventBody body, std::unique_ptr<archive::SplitContent> content,
                        std::function<void()> acknowledge) {
    Entry entry;
    entry.source = account_.source;
    entry.account = account_.id;
    entry.event = {run_.now(), std::move(body)};
    entry.content = std::move(content);
    entry.acknowledge = std::move(acknowledge);
    return run_.committer.put(std::move(entry), stop_.get_token());
}

void AccountSync::note(catalog::NoteBody body) {
    // Only what the catalog shows: a failure of the catalog itself ends the run elsewhere.
    (void)run_.committer.note({run_.now(), std::move(body)}, std::stop_token());
}

/// False when the turn ends meanwhile.
bool AccountSync::sleep(std::chrono::milliseconds time) {
    std::mutex local;
    std::unique_lock lock(local);
    std::condition_variable_any never;
    const std::stop_token end = turn_source().get_token();
    never.wait_for(lock, end, time, [] { return false; });
    return !end.stop_requested();
}

}  // namespace openarchiver::pipeline
