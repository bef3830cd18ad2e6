#include "pipeline/committer.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <openarchiver/sdk/exceptions.hpp>
#include <utility>

#include "archive/part_key.hpp"
#include "catalog/catalog_reader.hpp"
#include "pipeline/pack_collection.hpp"
#include "storage/locking_store.hpp"

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::chrono::hours kCollectEvery{24};

/// Stand for names that aren't known yet: of the pack that is being filled, and of the one that is
/// being stored.
constexpr archive::Digest kOpenPack{};
constexpr archive::Digest kStoringPack = [] {
    archive::Digest digest{};
    digest.fill(std::byte{0xFF});
    return digest;
}();

void name_pack(catalog::ContentPlace& place, const archive::Digest& from,
               const archive::Digest& to) {
    if (place.pack == from) {
        place.pack = to;
    }
    for (auto& part : place.parts) {
        if (part.pack == from) {
            part.pack = to;
        }
    }
}

void name_pack(std::vector<Entry>& entries, const archive::Digest& from,
               const archive::Digest& to) {
    for (auto& entry : entries) {
        if (auto* item = std::get_if<catalog::ItemArchived>(&entry.event.body)) {
            name_pack(item->place, from, to);
        }
    }
}

}  // namespace

Committer::Committer(access::ArchiveWriter& archive, sdk::Clock& clock,
                     std::shared_ptr<spdlog::logger> log)
    : archive_(archive),
      clock_(clock),
      log_(std::move(log)),
      packs_{archive::PackWriter(archive.spool_folder()),
             archive::PackWriter(archive.spool_folder())},
      rewrite_(archive, log_),
      compaction_(archive, log_) {
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

/// Commits what was put before.
Committer::~Committer() {
    thread_.request_stop();
    thread_.join();
}

std::uint64_t Committer::weight(const Entry& entry) const {
    // What an event costs beside its content; an estimate is enough for back pressure. Spooled
    // contents count as well: each holds disk space and an open file.
    constexpr std::uint64_t kEventBytes = 512;
    return kEventBytes +
           (entry.content ? entry.content->stored.size() + entry.content->part_bytes.size() : 0);
}

Status Committer::put(Entry entry, std::stop_token stop) {
    const std::uint64_t bytes = weight(entry);
    std::unique_lock lock(mutex_);
    const bool ready = changed_.wait(lock, stop, [&] {
        return failure_ || queue_.empty() ||
               (queued_bytes_ + bytes <= kQueueBytes && queue_.size() < kQueueEntries);
    });
    if (failure_) {
        return *failure_;
    }
    if (!ready) {
        return Error{Errc::cancelled, "stopped while waiting for the archive"};
    }
    queued_bytes_ += bytes;
    ++put_.entries;
    queue_.push_back(std::move(entry));
    work_.notify_one();
    return {};
}

/// No commit comes between: only contents bring one about, and nothing else is put meanwhile.
Status Committer::put_together(std::vector<Entry> entries, std::stop_token stop) {
    {
        const std::lock_guard lock(mutex_);
        if (failure_) {
            return *failure_;
        }
        for (auto& entry : entries) {
            queued_bytes_ += weight(entry);
            ++put_.entries;
            queue_.push_back(std::move(entry));
        }
    }
    return flush(std::move(stop));
}

Status Committer::note(catalog::Note note, std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    if (failure_) {
        return *failure_;
    }
    if (stop.stop_requested()) {
        return Error{Errc::cancelled, "stopped"};
    }
    ++put_.notes;
    notes_.push_back(std::move(note));
    work_.notify_one();
    return {};
}

Status Committer::flush(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    const Count wanted = put_;
    flush_wanted_ = true;
    work_.notify_one();
    const bool done = changed_.wait(lock, stop, [&] {
        return failure_ || (durable_.entries >= wanted.entries && durable_.notes >= wanted.notes);
    });
    if (failure_) {
        return *failure_;
    }
    if (!done) {
        return Error{Errc::cancelled, "stopped while waiting for the archive"};
    }
    return {};
}

Status Committer::write_head(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = ++heads_asked_;
    work_.notify_one();
    const bool done =
        changed_.wait(lock, stop, [&] { return failure_ || heads_answered_ >= wanted; });
    if (failure_) {
        return *failure_;
    }
    return done ? head_ : Status(Error{Errc::cancelled, "stopped while waiting for the archive"});
}

Status Committer::tidy(std::stop_token stop) {
    if (stop.stop_requested()) {
        return Error{Errc::cancelled, "stopped"};
    }
    std::unique_lock lock(mutex_);
    const std::uint64_t wanted = ++tidy_wanted_;
    work_.notify_one();
    const bool done = changed_.wait(lock, stop, [&] { return failure_ || tidy_done_ >= wanted; });
    if (failure_) {
        return *failure_;
    }
    return done ? Status() : Status(Error{Errc::cancelled, "stopped while packs were tidied up"});
}

Status Committer::change_packs(PackWork work) {
    std::unique_lock lock(mutex_);
    pack_work_ = std::move(work);
    pack_work_done_.reset();
    work_.notify_all();
    changed_.wait(lock, [&] { return failure_ || pack_work_done_; });
    pack_work_ = nullptr;
    return failure_ ? Status(*failure_) : *pack_work_done_;
}

std::optional<Error> Committer::failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
}

void Committer::run(std::stop_token stop) {
    Status status = [&]() -> Status {
        OPENARCHIVER_CHECK(archive_.catch_up(stop));
        OPENARCHIVER_TRY(position_, archive_.catalog().position(archive_.catalog().writer_id()));
        OPENARCHIVER_TRY(unsigned_, archive_.heads().wanted());
        head_due_ = std::chrono::steady_clock::now() + archive_.head_every();
        std::chrono::steady_clock::time_point first_waiting{};
        while (true) {
            std::deque<Entry> taken;
            std::vector<catalog::Note> taken_notes;
            bool commit_now = false;
            std::uint64_t heads_asked = 0;
            bool sign_now = false;
            std::uint64_t tidy_up_to = 0;
            PackWork pack_work;
            {
                std::unique_lock lock(mutex_);
                const auto tidying = [&] {
                    return tidy_wanted_ > tidy_done_ && !stop.stop_requested();
                };
                const bool waiting = !batch_.empty() || storing_;
                const auto ready = [&] {
                    return !queue_.empty() || flush_wanted_ || heads_asked_ > heads_answered_ ||
                           tidying() || (storing_ && storing_->pack) ||
                           (pack_work_ && !pack_work_done_);
                };
                if (waiting) {
                    // A condition of the wall's clock, not of a test's: it bounds a real wait.
                    work_.wait_until(lock, stop, first_waiting + kCommitAfter, ready);
                } else {
                    const auto any = [&] { return ready() || !notes_.empty(); };
                    if (unsigned_) {
                        work_.wait_until(lock, stop, head_due_, any);
                    } else {
                        work_.wait(lock, stop, any);
                    }
                    first_waiting = std::chrono::steady_clock::now();
                }
                taken.swap(queue_);
                taken_notes.swap(notes_);
                queued_bytes_ = 0;
                changed_.notify_all();
                heads_asked = heads_asked_;
                sign_now = heads_asked > heads_answered_ || stop.stop_requested();
                commit_now = flush_wanted_ || sign_now;
                flush_wanted_ = false;
                tidy_up_to = tidying() ? tidy_wanted_ : 0;
                pack_work = std::exchange(pack_work_, nullptr);
            }
            for (auto& entry : taken) {
                OPENARCHIVER_CHECK(take(std::move(entry)));
                if (packs_.at(open_).content_bytes() >= kCommitBytes) {
                    OPENARCHIVER_CHECK(begin_commit());
                    first_waiting = std::chrono::steady_clock::now();
                }
            }
            // Not before: a cursor among them counts only with the events put before it.
            std::move(taken_notes.begin(), taken_notes.end(), std::back_inserter(batch_.notes));
            const auto now = std::chrono::steady_clock::now();
            if (commit_now || now >= first_waiting + kCommitAfter ||
                (unsigned_ && now >= head_due_)) {
                OPENARCHIVER_CHECK(commit());
            } else if (is_stored()) {
                OPENARCHIVER_CHECK(finish_commit());
            }
            if (tidy_up_to > 0) {
                // One pack at a time: what waits to be committed comes in between. Nothing that is
                // under way names a pack that is replaced.
                OPENARCHIVER_CHECK(commit());
                OPENARCHIVER_TRY(bool more, rewrite(stop));
                if (!more) {
                    OPENARCHIVER_TRY(more, compact(stop));
                }
                if (!more) {
                    OPENARCHIVER_CHECK(collect(stop));
                    const std::lock_guard lock(mutex_);
                    tidy_done_ = tidy_up_to;
                    changed_.notify_all();
                }
            }
            if (pack_work) {
                OPENARCHIVER_CHECK(commit());
                Status outcome;
                OPENARCHIVER_CHECK(do_pack_work(pack_work, outcome));
                const std::lock_guard lock(mutex_);
                pack_work_done_ = std::move(outcome);
                changed_.notify_all();
            }
            Status head = sign_if_due(sign_now);
            const std::lock_guard lock(mutex_);
            if (heads_asked > heads_answered_) {
                head_ = std::move(head);
                heads_answered_ = heads_asked;
                changed_.notify_all();
            }
            if (stop.stop_requested() && queue_.empty() && notes_.empty() && batch_.empty() &&
                !storing_ && (sign_now || !unsigned_)) {
                return {};
            }
        }
    }();
    storing_.reset();  // after an error: waits for the pack
    if (!status) {
        // Nothing was asked of it yet when it was let go again.
        if (!stop.stop_requested() || status.error().code != Errc::cancelled) {
            log_->error("OA-3001 the archive can't be written: {}", status.error().message);
        }
        const std::lock_guard lock(mutex_);
        failure_ = status.error();
        queue_.clear();
        changed_.notify_all();
    }
}

/// A head that can't be written is tried again when the next one is due: the archive goes on.
Status Committer::sign_if_due(bool at_once) {
    const bool due = unsigned_ && (at_once || std::chrono::steady_clock::now() >= head_due_);
    if (!due || !batch_.entries.empty() || storing_ || !archive_.lease_held()) {
        return {};
    }
    Status written = archive_.heads().write(sdk::timestamp_of(clock_), {});
    if (!written) {
        log_->warn("OA-3002 the archive's next head was not written: {}; it is tried again",
                   written.error().message);
    }
    unsigned_ = !written;
    if (!archive_.history_is_whole()) {
        OPENARCHIVER_CHECK(archive_.note_history(sdk::timestamp_of(clock_)));
    }
    head_due_ = std::chrono::steady_clock::now() + archive_.head_every();
    return written;
}

/// Moves the content into the open pack and the event into the batch.
Status Committer::take(Entry entry) {
    auto& keyring = archive_.archive().keyring();
    // Made here, so that commit() saves the keyring before anything sealed with a new key.
    const auto key = entry.account.empty() ? keyring.archive_key()
                                           : keyring.account_key(entry.source, entry.account);
    if (auto* item = std::get_if<catalog::ItemArchived>(&entry.event.body); item != nullptr) {
        OPENARCHIVER_CHECK(place(entry, key, *item));
        entry.content.reset();
    }
    batch_.entries.push_back(std::move(entry));
    return {};
}

/// Finds a place for the content, a new one if need be.
Status Committer::place(const Entry& entry, const archive::AccountKey& key,
                        catalog::ItemArchived& item) {
    for (const Batch* batch : {&batch_, storing_ ? &storing_->batch : nullptr}) {
        if (batch != nullptr) {
            const auto found = batch->placed.find({key.id, item.content});
            if (found != batch->placed.end()) {
                item.place = found->second;
                return {};
            }
        }
    }
    OPENARCHIVER_TRY(auto known,
                     archive_.catalog().find_content(entry.source, entry.account, item.content));
    if (known) {
        item.place = std::move(*known);
        return {};
    }
    auto& content = *entry.content;
    OPENARCHIVER_TRY(item.place.placement, packs_.at(open_).add(key, content.stored));
    if (content.composed) {
        item.place.composition_size = content.stored.size();
        std::uint64_t offset = 0;
        for (const auto& part : content.parts) {
            OPENARCHIVER_TRY(auto held, hold(entry, key, part, offset));
            item.place.parts.push_back(held);
            offset += part.size;
        }
    }
    batch_.placed.emplace(std::pair(key.id, item.content), item.place);
    return {};
}

/// Lets the account have a part: one that is there already, with its key wrapped anew, or a new
/// one.
Result<catalog::PartHeld> Committer::hold(const Entry& entry, const archive::AccountKey& key,
                                          const archive::SplitContent::Part& part,
                                          std::uint64_t offset) {
    catalog::PartHeld held{.id = part.id, .size = part.size};
    for (const Batch* batch : {&batch_, storing_ ? &storing_->batch : nullptr}) {
        if (batch != nullptr) {
            const auto found = batch->parts.find(part.id);
            if (found != batch->parts.end()) {
                held.pack = batch == &batch_ ? kOpenPack : kStoringPack;
                held.key = found->second.key.id;
                held.wrapped = archive::wrap_part_key(key, found->second.key);
                held.frame = found->second.frame;
                return held;
            }
        }
    }
    OPENARCHIVER_TRY(const auto known,
                     archive_.catalog().find_part(entry.source, entry.account, part.id));
    if (known && known->source == entry.source && known->account == entry.account) {
        return known->part;
    }
    const auto& keyring = archive_.archive().keyring();
    if (known) {
        if (const auto holder = keyring.find(known->source, known->account)) {
            held = known->part;
            OPENARCHIVER_TRY(auto opened,
                             archive::unwrap_part_key(*holder, held.key, held.wrapped));
            held.wrapped = archive::wrap_part_key(key, opened);
            archive::wipe_key(opened);
            return held;
        }
    }
    NewPart fresh{.key = archive::new_part_key(key.key.has_value())};
    archive::SpoolRange bytes(entry.content->part_bytes, offset, part.size);
    OPENARCHIVER_TRY(fresh.frame, packs_.at(open_).add_part(fresh.key, bytes));
    held.key = fresh.key.id;
    held.wrapped = archive::wrap_part_key(key, fresh.key);
    held.frame = fresh.frame;
    batch_.parts.emplace(part.id, fresh);
    return held;
}

Committer::Batch::~Batch() {
    for (auto& [id, part] : parts) {
        archive::wipe_key(part.key);
    }
}

Status Committer::commit() {
    OPENARCHIVER_CHECK(begin_commit());
    return finish_commit();
}

/// Has the batch's pack stored while the next one is filled; without contents, commits the batch.
Status Committer::begin_commit() {
    OPENARCHIVER_CHECK(finish_commit());
    if (batch_.empty()) {
        return {};
    }
    OPENARCHIVER_CHECK(check_lease());
    Batch batch = std::exchange(batch_, {});
    if (batch.entries.empty()) {
        OPENARCHIVER_CHECK(archive_.catalog().apply(batch.notes));
        acknowledge(batch);
        return {};
    }
    // A commit that began is finished: stopping half-way would only repeat the work.
    const std::stop_token unstoppable;
    OPENARCHIVER_CHECK(archive_.archive().save_keyring(unstoppable));
    archive::PackWriter& pack = packs_.at(open_);
    if (pack.empty()) {
        return commit(batch, std::nullopt);
    }
    for (auto& [content, place] : batch.placed) {
        name_pack(place, kOpenPack, kStoringPack);
    }
    open_ = 1 - open_;
    storing_ = std::make_unique<Storing>();
    storing_->batch = std::move(batch);
    storing_->thread = std::jthread([this, &pack, unstoppable, storing = storing_.get()] {
        auto stored = sdk::without_exceptions(
            "storing a pack", [&] { return pack.finish(archive_.archive().store(), unstoppable); });
        const std::lock_guard lock(mutex_);
        storing->pack = std::move(stored);
        work_.notify_one();
    });
    return {};
}

bool Committer::is_stored() const {
    const std::lock_guard lock(mutex_);
    return storing_ && storing_->pack;
}

/// Waits for the pack that is being stored.
Status Committer::finish_commit() {
    if (!storing_) {
        return {};
    }
    storing_->thread.join();
    const auto done = std::exchange(storing_, nullptr);
    OPENARCHIVER_TRY(auto pack, *std::move(done->pack));
    packs_added_ = true;
    name_pack(done->batch.entries, kOpenPack, pack.id);
    name_pack(batch_.entries, kStoringPack, pack.id);
    for (auto& [content, place] : batch_.placed) {
        name_pack(place, kStoringPack, pack.id);
    }
    OPENARCHIVER_CHECK(check_lease());
    return commit(done->batch, std::move(pack));
}

Status Committer::check_lease() const {
    if (archive_.lease_held()) {
        return {};
    }
    return Error{Errc::already_exists,
                 "this engine no longer holds the archive: another one took it over, or the "
                 "storage could not be reached for so long that one may; it stops writing. "
                 "Where no other engine runs, start it again"};
}

/// The batch's pack, if it has one, is in the store.
Status Committer::commit(Batch& batch, std::optional<archive::PackInfo> pack) {
    const auto now = sdk::timestamp_of(clock_);
    std::vector<catalog::EventGroup> groups;
    if (pack) {
        groups.push_back({"", "", {{now, catalog::PackStored{*std::move(pack)}}}});
    }
    std::map<std::pair<std::string, std::string>, std::size_t> group_of;
    for (auto& entry : batch.entries) {
        const auto [found, added] =
            group_of.try_emplace({entry.source, entry.account}, groups.size());
        if (added) {
            groups.push_back({entry.source, entry.account, {}});
        }
        groups[found->second].events.push_back(std::move(entry.event));
    }
    auto leaves = catalog::add_leaves(archive_.archive().marker().archive_id, groups);
    if (!leaves.hashes.empty()) {
        // The archive's own events come first, and the leaves before those that have one.
        if (!groups.front().source.empty()) {
            groups.insert(groups.begin(), catalog::EventGroup{});
        }
        auto& events = groups.front().events;
        events.insert(events.begin(), {now, std::move(leaves)});
    }
    OPENARCHIVER_CHECK(append(std::move(groups), batch.notes));
    acknowledge(batch);
    return {};
}

void Committer::acknowledge(const Batch& batch) {
    for (const auto& entry : batch.entries) {
        if (entry.acknowledge) {
            entry.acknowledge();
        }
    }
    const std::lock_guard lock(mutex_);
    durable_.entries += batch.entries.size();
    durable_.notes += batch.notes.size();
    changed_.notify_all();
}

/// Packs were locked when they were put (storage::LockingStore), a little before this.
void Committer::note_first_locks(const catalog::EventGroup& of_archive,
                                 std::vector<catalog::Note>& notes) const {
    const auto now = sdk::timestamp_of(clock_);
    for (const auto& event : of_archive.events) {
        if (const auto* stored = std::get_if<catalog::PackStored>(&event.body)) {
            notes.push_back(
                {now, catalog::PackProtected{
                          stored->pack.id,
                          {.locked_until = now + storage::kFirstLock - std::chrono::hours(1)}}});
        }
    }
}

/// Segment, then catalog.
Status Committer::append(std::vector<catalog::EventGroup> groups,
                         std::vector<catalog::Note> notes) {
    std::vector<archive::EventBlock> blocks;
    blocks.reserve(groups.size());
    for (const auto& group : groups) {
        auto& keyring = archive_.archive().keyring();
        archive::EventBlock block;
        block.key = group.account.empty() ? keyring.archive_key()
                                          : keyring.account_key(group.source, group.account);
        block.events = catalog::encode(group);
        blocks.push_back(std::move(block));
    }
    if (archive_.archive().store().capabilities().lock) {
        note_first_locks(groups.front(), notes);
    }
    const auto& writer = archive_.catalog().writer_id();
    OPENARCHIVER_TRY(position_,
                     archive_.archive().log().append(writer, position_, std::move(blocks),
                                                     sdk::timestamp_of(clock_), {}));
    unsigned_ = true;
    return archive_.catalog().apply(writer, position_, groups, notes);
}

/// True: there may be more to do.
Result<bool> Committer::rewrite(std::stop_token stop) {
    // Segments beyond a gap may name what a pack holds.
    if (!archive_.history_is_whole() || !archive_.lease_held()) {
        return false;
    }
    auto change = rewrite_.next(sdk::timestamp_of(clock_), stop);
    if (change && !*change && std::exchange(rewrote_, false)) {
        // What was disposed of is in the catalog's log, too.
        OPENARCHIVER_CHECK(archive_.catalog().truncate_log());
    }
    if (!change && change.error().code != Errc::cancelled) {
        log_->warn("OA-4006 what was disposed of stays in its packs for now: {}",
                   change.error().message);
    }
    if (!change || !*change || !archive_.lease_held()) {
        return false;
    }
    const auto* dropped = std::get_if<catalog::PackDropped>(&**change);
    const std::string key = dropped != nullptr ? archive::pack_key(dropped->id) : std::string();
    std::vector<catalog::EventGroup> groups;
    groups.push_back({"", "", {}});
    std::visit(
        [&](auto& body) {
            groups.front().events.push_back({sdk::timestamp_of(clock_), std::move(body)});
        },
        **change);
    OPENARCHIVER_CHECK(append(std::move(groups), {}));
    rewrote_ = true;
    if (key.empty()) {
        packs_added_ = true;
        OPENARCHIVER_CHECK(collect_soon());
    } else if (const Status removed = archive_.archive().store().remove(key, {}); !removed) {
        // Locked, most often: the message says until when. The daily collection comes back to it.
        log_->warn(
            "OA-4007 object {} has nothing but what was disposed of, and can't be removed now: {}",
            key, removed.error().message);
    }
    return true;
}

/// The error is of what ends the committer; `outcome` that of the work.
Status Committer::do_pack_work(const PackWork& work, Status& outcome) {
    auto events = work();
    if (!events) {
        outcome = events.error();
        return {};
    }
    if (!archive_.history_is_whole() || !archive_.lease_held()) {
        outcome = Error{Errc::unavailable,
                        "packs can't be changed while the archive's log has a "
                        "gap, or another engine may have the archive"};
        return {};
    }
    std::vector<catalog::EventGroup> groups;
    groups.push_back({"", "", {}});
    for (auto& body : *events) {
        groups.front().events.push_back({sdk::timestamp_of(clock_), std::move(body)});
    }
    OPENARCHIVER_CHECK(append(std::move(groups), {}));
    return collect_soon();
}

/// Once no reader can need the packs any more that were replaced just now.
Status Committer::collect_soon() {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_folder()));
    OPENARCHIVER_TRY(const auto last, catalog->packs_collected_at());
    const std::vector<catalog::Note> notes{
        {std::min(last, sdk::timestamp_of(clock_) - kCollectEvery + kReplacedPackStays),
         catalog::PacksCollected{}}};
    return archive_.catalog().apply(notes);
}

/// True: there may be more to do.
Result<bool> Committer::compact(std::stop_token stop) {
    if (!packs_added_ || !archive_.lease_held()) {
        return false;
    }
    auto stored = compaction_.next(sdk::timestamp_of(clock_), stop);
    if (!stored && stored.error().code != Errc::cancelled) {
        log_->warn("OA-3005 small packs can't be joined now: {}", stored.error().message);
    }
    packs_added_ = stored && *stored;
    if (!packs_added_) {
        return false;
    }
    if (!archive_.lease_held()) {
        return false;  // the new pack means nothing
    }
    log_->debug("{} small packs became one", (*stored)->replaces.size());
    std::vector<catalog::EventGroup> groups;
    groups.push_back({"", "", {{sdk::timestamp_of(clock_), *std::move(*stored)}}});
    OPENARCHIVER_CHECK(append(std::move(groups), {}));
    return true;
}

Status Committer::collect(std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive_.catalog_folder()));
    OPENARCHIVER_TRY(const auto last, catalog->packs_collected_at());
    const auto now = sdk::timestamp_of(clock_);
    // Segments beyond a gap may name packs that the catalog does not know.
    if (!archive_.history_is_whole() || !archive_.lease_held() ||
        (last <= now && now - last < kCollectEvery)) {
        return {};
    }
    const auto collected = collect_packs(archive_, now, stop);
    if (!collected) {
        if (collected.error().code != Errc::cancelled) {
            log_->warn("OA-3007 packs that nothing needs could not be removed: {}",
                       collected.error().message);
        }
        return {};
    }
    if (collected->locked > 0) {
        log_->info("OA-3008 packs that nothing needs stay until the store's locks of them end: {}",
                   collected->locked);
    }
    if (collected->replaced + collected->unnamed > 0) {
        log_->info(
            "OA-3009 removed packs that nothing needs: {} that others replaced, {} left by an "
            "interrupted run",
            collected->replaced, collected->unnamed);
    }
    const std::vector<catalog::Note> notes{{now, catalog::PacksCollected{}}};
    return archive_.catalog().apply(notes);
}

}  // namespace openarchiver::pipeline
