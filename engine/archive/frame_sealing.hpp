#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "archive/digest.hpp"
#include "archive/pack.hpp"
#include "archive/spool.hpp"

namespace openarchiver::archive {

/// The frames of a pack on their way from full to stored. Compressing them is most of the work of
/// an import, so a few threads share it; what they made they append one at a time, in any order.
/// put(), finish() and start_anew() are called by one thread.
class FrameSealing {
public:
    struct FullFrame {
        AccountKey account;
        std::uint32_t index = 0;
        std::vector<std::byte> bytes;
        bool single_content = false;
    };

    /// `spool_folder` takes what exceeds the memory threshold of a pack.
    explicit FrameSealing(std::filesystem::path spool_folder);
    ~FrameSealing();

    FrameSealing(const FrameSealing&) = delete;
    FrameSealing& operator=(const FrameSealing&) = delete;

    /// Waits while enough frames wait. The error may be that of an earlier frame: then the pack is
    /// lost.
    sdk::Status put(FullFrame frame);

    /// Waits until every frame is stored and tells what the pack is; its bytes are in spool().
    sdk::Result<PackInfo> finish();

    [[nodiscard]] Spool& spool() { return spool_; }

    void start_anew();

    /// Memory of a frame that was stored, or fresh.
    [[nodiscard]] std::vector<std::byte> buffer();

private:
    void run(class FrameEncoder& encoder, const std::stop_token& stop);
    sdk::Status append(std::span<const std::byte> bytes);
    sdk::Status append_frame(const FullFrame& frame, std::span<const std::byte> stored);

    const std::filesystem::path folder_;

    std::mutex mutex_;  // guards the frames on their way and what became of them
    std::condition_variable_any work_;
    std::condition_variable done_;
    std::deque<FullFrame> waiting_;
    std::uint64_t waiting_bytes_ = 0;
    std::size_t at_work_ = 0;
    std::optional<sdk::Error> error_;
    std::vector<std::vector<std::byte>> spare_;

    std::mutex append_mutex_;  // guards the pack while threads are at work
    Spool spool_;
    Sha256 digest_;
    std::vector<Frame> frames_;
    std::vector<std::jthread> threads_;  // last
};

}  // namespace openarchiver::archive
