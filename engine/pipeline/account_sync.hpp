#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "pipeline/committer.hpp"
#include "pipeline/progress.hpp"
#include "pipeline/sync.hpp"

namespace openarchiver::pipeline {

/// What the accounts of a sync run share. All of it outlives the run.
struct RunContext {
    OpenSource& source;
    Committer& committer;
    catalog::CatalogReader& catalog;
    sdk::Clock& clock;
    std::shared_ptr<spdlog::logger> log;
    SyncProgress& progress;
    std::filesystem::path spool_folder;
    bool reconcile = false;
    /// When the next run of a schedule is due; absent: this run is on nobody's schedule.
    std::optional<std::chrono::steady_clock::time_point> next_run_at;

    [[nodiscard]] sdk::Timestamp now() const { return sdk::timestamp_of(clock); }
};

/// One pass over one account: its folders one after another on the calling thread, its contents
/// fetched beside by a few threads of its own. A pass may take several turns, so that others get
/// theirs. Shared by the committer's acknowledgements, which may come after the pass.
class AccountSync : public std::enable_shared_from_this<AccountSync> {
public:
    enum class Outcome : std::uint8_t { up_to_date, not_available, failed, unfinished };

    struct Result {
        Outcome outcome = Outcome::up_to_date;
        /// With `not_available`: what the account itself told, and why.
        sdk::AccountState state = sdk::AccountState::available;
        std::string reason = {};
        /// With `failed`: why; absent where single folders failed.
        std::optional<sdk::Error> error = {};
        /// With `error`: it is this machine's own, not the service's.
        bool local = false;
    };

    AccountSync(RunContext& run, catalog::AccountRecord account,
                std::vector<catalog::FailureRecord> due_failures);

    /// Goes on until the pass is over, or until asked to yield: `unfinished`. Then it may be called
    /// again.
    Result execute(std::stop_token stop);

    /// Ends the turn with the page that is being listed.
    void yield();
    /// Ends the turn as soon as possible without loss, when yield() did not: the account waits for
    /// its own service limit, which it need not do on a worker's time.
    void yield_at_once();

    [[nodiscard]] const std::string& account_id() const { return account_.id; }

    /// Its folders were listed: the service answers for this account.
    [[nodiscard]] bool listed() const { return listed_; }

    /// When no turn follows: items that left one folder and are in another have moved.
    void count_moves();

private:
    /// Events of a folder up to a checkpoint. The cursor counts once all of them are handed over.
    struct Epoch {
        std::size_t outstanding = 0;
        bool closed = false;
        std::optional<sdk::Cursor> cursor;
    };

    struct FolderPass {
        catalog::FolderRecord record;
        std::list<Epoch> epochs;
        std::mutex order;  // held while a cursor is handed over, so that older ones stay older
        /// A full listing of a folder that held items: compared with them at its end, and only then
        /// its cursor counts.
        bool compare = false;
        bool had_cursor = false;
        std::atomic<bool> events = false;  ///< in this pass, so that its cursor belongs in the log
        std::vector<std::uint64_t> seen;   ///< hashes of the ids listed, with `compare`
        /// Placements that this pass changed, which the catalog may not know yet.
        std::unordered_map<std::string, bool> changed_placements;
        std::optional<sdk::Cursor> last_cursor;
    };

    struct Task {
        sdk::Item item;
        std::shared_ptr<FolderPass> folder;
        Epoch* epoch = nullptr;
        std::uint64_t number = 0;  ///< tells the tasks of one item apart
        bool known = false;        ///< an earlier version is archived
        bool retry = false;        ///< of a recorded failure
    };

    /// What was told of an item while its content was on its way.
    struct FollowUp {
        enum class Kind : std::uint8_t { placed, left, changed } kind = Kind::placed;
        sdk::Item item;
        std::shared_ptr<FolderPass> folder;
        Epoch* epoch = nullptr;  ///< waits for it
    };

    /// An item whose content is being fetched or on its way to the archive.
    struct Pending {
        std::uint64_t task = 0;
        std::string content_tag;
        std::string folder;
        bool handed_over = false;
        bool durable = false;
        std::vector<FollowUp> follow_ups;
    };

    /// A folder visited in this turn.
    struct Visit {
        std::size_t folder = 0;  ///< in folders_
        std::shared_ptr<FolderPass> pass;
        bool listed = false;  ///< to its end
    };

    class FolderListing;
    class ItemListing;
    friend class ItemListing;

    sdk::Status list_folders();
    sdk::Status visit_folders();
    sdk::Status visit_folder(std::size_t index);
    void end_visits();
    [[nodiscard]] bool all_done() const;
    void note_counts();
    void note_comparison();
    sdk::Status sync_folder(const std::shared_ptr<FolderPass>& pass);
    sdk::Status sync_folder_once(const std::shared_ptr<FolderPass>& pass,
                                 const std::optional<sdk::Cursor>& cursor);
    [[nodiscard]] bool lists_anew(const std::string& folder_id, sdk::Timestamp last) const;
    sdk::Status mark_unseen_as_left(const std::shared_ptr<FolderPass>& pass);
    void retry_failures();

    // Called by ItemListing.
    sdk::Status listed(const sdk::Item& item, const std::shared_ptr<FolderPass>& pass);
    sdk::Status left(const std::string& item_id, const std::shared_ptr<FolderPass>& pass);
    sdk::Status failed(const sdk::Item& item, const sdk::Error& error,
                       const std::shared_ptr<FolderPass>& pass);
    sdk::Status checkpoint(const sdk::Cursor& cursor, const std::shared_ptr<FolderPass>& pass);
    void remark(std::string_view text);

    /// What is known of an item that a listing shows.
    struct Standing {
        bool deferred = false;  ///< handled once its content is here
        bool known = false;     ///< an earlier version is archived, or on its way
        bool same_content = false;
        bool in_folder = false;
    };

    sdk::Result<Standing> standing(const sdk::Item& item, FollowUp::Kind told,
                                   const std::shared_ptr<FolderPass>& pass);
    /// A task for an item's content, waited for by `epoch` (null: the folder's open one).
    Task begin(const sdk::Item& item, const std::shared_ptr<FolderPass>& pass,
               Epoch* epoch = nullptr);
    Task begin_locked(const sdk::Item& item, const std::shared_ptr<FolderPass>& pass, Epoch* epoch);
    sdk::Status enqueue(Task task);
    void fetch_loop(std::stop_token stop);
    void process(Task task);
    using OpenContent = std::function<sdk::Result<std::unique_ptr<sdk::ByteReader>>()>;

    struct Fetched {
        std::unique_ptr<archive::Spool> bytes;
        archive::Digest digest{};
    };

    sdk::Result<Fetched> fetch(const OpenContent& open);
    sdk::Result<Fetched> fetch_once(const OpenContent& open);
    /// What can be had of an item whose exact bytes can't; absent where that is nothing new.
    sdk::Result<std::optional<Fetched>> fetch_reconstruction(const Task& task,
                                                             const sdk::Error& why);
    sdk::Status put_content(const Task& task, Fetched content, catalog::Fidelity fidelity);
    sdk::Status put_failure(const Task& task, const sdk::Error& error);
    void conclude(const Task& task, bool archived);
    void finish(Epoch* epoch, const std::shared_ptr<FolderPass>& pass);
    void hand_over_cursors(const std::shared_ptr<FolderPass>& pass);
    void acknowledged(const Task& task, std::uint64_t bytes, catalog::Fidelity fidelity);
    void wait_for_fetches();
    void forget_dropped_tasks();
    std::stop_source turn_source();
    void abort(sdk::Error error);
    sdk::Error spool_failed(sdk::Error error);

    sdk::Status put(catalog::EventBody body,
                    std::unique_ptr<archive::SplitContent> content = nullptr,
                    std::function<void()> acknowledge = nullptr);
    void note(catalog::NoteBody body);
    bool sleep(std::chrono::milliseconds time);

    RunContext& run_;
    const catalog::AccountRecord account_;
    const std::vector<catalog::FailureRecord> due_failures_;
    std::vector<catalog::FolderRecord> folders_;
    std::vector<bool> done_;  ///< of folders_: needs no visit in this pass any more
    bool listed_ = false;
    std::unordered_map<std::string, std::uint64_t> recorded_counts_;  ///< what the catalog had
    std::unordered_map<std::string, std::uint64_t> counted_;  ///< what the listing told, by id
    std::vector<std::string> visited_;                        ///< folders, to their end
    sdk::AccountState state_ = sdk::AccountState::available;
    std::string state_reason_;
    bool folder_failed_ = false;
    std::string remark_;     ///< what the provider told of the account beside
    std::stop_source stop_;  ///< ends this account's work: the run's stop, or an error of its own
    std::atomic<bool> yielding_ = false;

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::deque<Task> tasks_;
    std::size_t fetching_ = 0;
    std::vector<Visit> visits_;
    std::stop_source turn_;  ///< ends what a turn waits for: stop_, or yield_at_once()
    std::unordered_map<std::string, Pending> pending_;
    std::uint64_t task_numbers_ = 0;
    std::unordered_set<std::string> placed_items_;  ///< known items found in another folder
    std::unordered_set<std::string> left_items_;
    std::optional<sdk::Error> error_;
    bool spool_failed_ = false;
    std::vector<std::jthread> fetchers_;  // last
};

}  // namespace openarchiver::pipeline
