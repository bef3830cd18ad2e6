#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <thread>
#include <vector>

#include "catalog/records.hpp"

namespace openarchiver::exporter {

/// Versions in the order in which they are written out. A few threads read the contents of the next
/// ones into memory while one thread, that which calls, writes.
class ReadAhead {
public:
    /// Writes the bytes of a version to the sink, checked when it returns success. Called by
    /// several threads.
    using Read = std::function<sdk::Status(const catalog::VersionRecord&, sdk::ByteSink&)>;

    explicit ReadAhead(Read read);
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

    [[nodiscard]] const catalog::VersionRecord& first() const { return line_.front()->version; }

    /// The first one's content.
    sdk::Status read_first(sdk::ByteSink& sink);
    void drop_first();

private:
    enum class State : std::uint8_t { idle, wanted, reading, read };

    struct Entry {
        catalog::VersionRecord version;
        State state = State::idle;
        std::uint64_t memory = 0;  // that it counts for
        std::vector<std::byte> bytes;
        sdk::Status status;
    };

    void run(const std::stop_token& stop);

    const Read read_;
    std::deque<std::unique_ptr<Entry>> line_;  // of the calling thread
    std::uint64_t memory_ = 0;                 // that the line counts for; the same
    std::mutex mutex_;                         // guards the states, and what follows
    std::condition_variable_any work_;         // for the threads
    std::condition_variable done_;             // for the caller
    std::deque<Entry*> wanted_;
    std::vector<std::vector<std::byte>> spare_;  // memory that is used again
    std::vector<std::jthread> threads_;
};

}  // namespace openarchiver::exporter
