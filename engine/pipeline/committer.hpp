#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "access/access.hpp"
#include "archive/content_split.hpp"
#include "catalog/event.hpp"
#include "catalog/note.hpp"
#include "pipeline/compaction.hpp"
#include "pipeline/pack_rewrite.hpp"

namespace openarchiver::pipeline {

/// An event on its way into the archive, and the content that comes with it.
struct Entry {
    std::string source;
    std::string account;
    catalog::Event event;
    /// With ItemArchived: its bytes. The event's place is filled in here.
    std::unique_ptr<archive::SplitContent> content;
    /// Called once the event is durable, on the committer's thread.
    std::function<void()> acknowledge;
};

/// The one thread that writes the archive, in the order that keeps every promise: packs durable,
/// segment durable, catalog transaction, acknowledge. While a pack is stored, the next one is
/// filled. Commits at 16 MiB, one second after the first waiting event, when asked to flush, and on
/// stop. Signs heads from time to time, when asked to, and on stop.
class Committer {
public:
    static constexpr std::uint64_t kCommitBytes = 16U << 20;
    static constexpr std::chrono::milliseconds kCommitAfter{1000};
    /// Back pressure: what may wait for the committer.
    static constexpr std::uint64_t kQueueBytes = 16U << 20;
    static constexpr std::size_t kQueueEntries = 4096;

    Committer(access::ArchiveWriter& archive, sdk::Clock& clock,
              std::shared_ptr<spdlog::logger> log);
    ~Committer();

    /// Blocks while the queue is full; an entry larger than the queue enters alone. The error that
    /// ended the committer, or cancelled.
    sdk::Status put(Entry entry, std::stop_token stop);
    /// Events that belong together, without contents: in one segment, durable on return.
    sdk::Status put_together(std::vector<Entry> entries, std::stop_token stop);
    /// Counts together with, or after, what was put before it; never sooner.
    sdk::Status note(catalog::Note note, std::stop_token stop);
    /// Returns once everything put and noted before is durable.
    sdk::Status flush(std::stop_token stop);
    /// ... and signed by a head of the archive.
    sdk::Status write_head(std::stop_token stop);
    /// Gets what was disposed of out of the packs, makes one pack of many small ones, where there
    /// are enough, and removes packs that nothing needs, once a day. Returns once that is done;
    /// commits go on meanwhile. Trouble with packs that are there already is told in the log and is
    /// no error.
    sdk::Status tidy(std::stop_token stop);
    /// Writes new packs in place of others: calls `work` between two commits, on the committer's
    /// thread, and appends the events of the archive that it returns. Durable on return. One caller
    /// at a time; `work` looks at a stop token of its own.
    using PackWork = std::function<sdk::Result<std::vector<catalog::EventBody>>()>;
    sdk::Status change_packs(PackWork work);
    /// The error after which nothing is accepted any more, if there was one.
    [[nodiscard]] std::optional<sdk::Error> failure() const;

private:
    struct Count {
        std::uint64_t entries = 0;
        std::uint64_t notes = 0;
    };

    struct NewPart {
        archive::AccountKey key;
        std::uint32_t frame = 0;
    };

    /// Taken from the queue, not yet durable.
    struct Batch {
        Batch() = default;
        Batch(Batch&&) = default;
        Batch& operator=(Batch&&) = default;
        ~Batch();

        [[nodiscard]] bool empty() const { return entries.empty() && notes.empty(); }

        std::vector<Entry> entries;
        /// Taken together with entries that are in here or durable.
        std::vector<catalog::Note> notes;
        /// Contents of the pack, so that an account's equal ones are stored once.
        std::map<std::pair<archive::KeyId, archive::Digest>, catalog::ContentPlace> placed;
        std::map<archive::Digest, NewPart> parts;  ///< of the pack
    };

    /// A batch whose pack is on its way into the store.
    struct Storing {
        Batch batch;
        std::optional<sdk::Result<archive::PackInfo>> pack;  ///< mutex_ guards it; how it went
        std::jthread thread;
    };

    void run(std::stop_token stop);
    sdk::Status take(Entry entry);
    sdk::Status place(const Entry& entry, const archive::AccountKey& key,
                      catalog::ItemArchived& item);
    sdk::Result<catalog::PartHeld> hold(const Entry& entry, const archive::AccountKey& key,
                                        const archive::SplitContent::Part& part,
                                        std::uint64_t offset);
    sdk::Status commit();
    sdk::Status begin_commit();
    sdk::Status finish_commit();
    [[nodiscard]] bool is_stored() const;
    [[nodiscard]] sdk::Status check_lease() const;
    sdk::Status commit(Batch& batch, std::optional<archive::PackInfo> pack);
    void acknowledge(const Batch& batch);
    sdk::Status sign_if_due(bool at_once);
    sdk::Status append(std::vector<catalog::EventGroup> groups, std::vector<catalog::Note> notes);
    void note_first_locks(const catalog::EventGroup& of_archive,
                          std::vector<catalog::Note>& notes) const;
    sdk::Result<bool> rewrite(std::stop_token stop);
    sdk::Result<bool> compact(std::stop_token stop);
    sdk::Status do_pack_work(const PackWork& work, sdk::Status& outcome);
    sdk::Status collect_soon();
    sdk::Status collect(std::stop_token stop);
    std::uint64_t weight(const Entry& entry) const;

    access::ArchiveWriter& archive_;
    sdk::Clock& clock_;
    std::shared_ptr<spdlog::logger> log_;
    std::array<archive::PackWriter, 2> packs_;
    archive::LogPosition position_;
    PackRewrite rewrite_;
    bool rewrote_ = false;  // since the catalog's own log was emptied
    Compaction compaction_;
    bool packs_added_ = true;  // since compaction found nothing to do

    // Committer's thread: one batch is filled while the pack of the one before is stored.
    std::size_t open_ = 0;  ///< the pack that is being filled
    Batch batch_;
    std::unique_ptr<Storing> storing_;

    /// The log says more than the last head covers; when that head is due. Committer's thread.
    bool unsigned_ = false;
    std::chrono::steady_clock::time_point head_due_;

    mutable std::mutex mutex_;             // guards everything below
    std::condition_variable_any work_;     // for the committer's thread
    std::condition_variable_any changed_;  // for those who wait for it
    std::deque<Entry> queue_;
    std::vector<catalog::Note> notes_;
    std::uint64_t queued_bytes_ = 0;
    Count put_;
    Count durable_;
    bool flush_wanted_ = false;
    std::uint64_t heads_asked_ = 0;
    std::uint64_t heads_answered_ = 0;
    sdk::Status head_;  // how the last one went
    std::uint64_t tidy_wanted_ = 0;
    std::uint64_t tidy_done_ = 0;
    PackWork pack_work_;
    std::optional<sdk::Status> pack_work_done_;
    std::optional<sdk::Error> failure_;

    std::jthread thread_;  // last: started when all the rest is there
};

}  // namespace openarchiver::pipeline
