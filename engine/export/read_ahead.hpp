#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <thread>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"

namespace openarchiver::exporter {

/// Versions in the order in which they are written out. A few threads read the contents of the next
/// ones into memory while others write. Each thread takes a run of neighbours: they lie in the same
/// frames, which are opened by one thread then. Used by one thread, but for what was taken.
class ReadAhead {
    struct Entry;

public:
    /// Both outlive it. `stop` ends what is being read.
    ReadAhead(access::ArchiveReader& reader, catalog::CatalogReader& catalog, std::stop_token stop);
    /// Waits for what is being read.
    ~ReadAhead();
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    /// `ahead`: whether its content is likely to be asked for.
    void add(const catalog::VersionRecord& version, bool ahead);

    /// Whether versions have to be taken before more are added.
    [[nodiscard]] bool full() const;
    /// ... and, once it was full, whether enough were taken: so threads are woken for many at once.
    [[nodiscard]] bool half_full() const;

    [[nodiscard]] bool empty() const { return line_.empty(); }

    /// A version that left the line; used by one thread at a time, which may be any.
    class Taken {
    public:
        ~Taken();
        Taken(Taken&& other) noexcept;
        Taken& operator=(Taken&&) = delete;

        [[nodiscard]] const catalog::VersionRecord& version() const;
        /// Of its content, that is in memory.
        [[nodiscard]] std::uint64_t memory() const;
        /// The folders of its item, as CatalogReader::folders_of() has them.
        [[nodiscard]] sdk::Result<std::vector<std::int64_t>> folders() const;
        sdk::Status read(sdk::ByteSink& sink) const;

    private:
        friend class ReadAhead;
        Taken(ReadAhead& from, std::unique_ptr<Entry> entry);

        ReadAhead& from_;
        std::unique_ptr<Entry> entry_;
    };

    /// The first one, once no thread reads it. It must not outlive this.
    Taken take_first();

private:
    void work(const std::stop_token& ended);
    void give_back(std::vector<std::byte> bytes);
    // With mutex_ held:
    [[nodiscard]] bool whole_run_wanted() const;
    void no_longer_wanted(Entry& entry);
    std::vector<Entry*> take_run();

    void read_run(const std::vector<Entry*>& run);

    access::ArchiveReader& reader_;
    catalog::CatalogReader& catalog_;
    const std::stop_token stop_;
    std::deque<std::unique_ptr<Entry>> line_;    // of the calling thread
    std::uint64_t memory_ = 0;                   // that the line counts for; the same
    std::mutex mutex_;                           // guards the states, and what follows
    std::condition_variable_any work_;           // for the threads
    std::condition_variable done_;               // for the caller
    std::deque<Entry*> wanted_;                  // a run is taken once all of it is there
    std::uint64_t wanted_size_ = 0;              // bytes
    std::vector<std::vector<std::byte>> spare_;  // memory that is used again
    std::size_t spare_size_ = 0;                 // bytes
    std::vector<std::jthread> threads_;
};

}  // namespace openarchiver::exporter
