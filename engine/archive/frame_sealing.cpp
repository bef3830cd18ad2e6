#include "archive/frame_sealing.hpp"

#include <algorithm>
#include <openarchiver/sdk/exceptions.hpp>
#include <utility>

#include "archive/pack_format.hpp"
#include "archive/seal.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::uint64_t kSpoolMemory = 24U << 20;
constexpr std::size_t kMaxThreads = 4;
// Deep enough that a thread finds its next frame waiting: most parts are of a few kilobytes.
constexpr std::uint64_t kWaitingBytes = 8U << 20;
// Emptied frames whose memory is used again: fresh memory costs as much as a tenth of compressing.
constexpr std::size_t kSpareBuffers = 8;

}  // namespace

FrameSealing::FrameSealing(std::filesystem::path spool_folder)
    : folder_(std::move(spool_folder)), spool_(folder_, kSpoolMemory) {
    const std::size_t count =
        std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxThreads);
    for (std::size_t i = 0; i < count; ++i) {
        threads_.emplace_back([this, encoder = FrameEncoder()](
                                  const std::stop_token& stop) mutable { run(encoder, stop); });
    }
}

FrameSealing::~FrameSealing() {
    for (auto& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
    for (FullFrame& frame : waiting_) {
        wipe_key(frame.account);
    }
}

sdk::Status FrameSealing::put(FullFrame frame) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] {
        return waiting_.empty() || waiting_bytes_ + frame.bytes.size() <= kWaitingBytes || error_;
    });
    waiting_bytes_ += frame.bytes.size();
    waiting_.push_back(std::move(frame));
    work_.notify_one();
    return error_ ? sdk::Status(*error_) : sdk::Status();
}

sdk::Result<PackInfo> FrameSealing::finish() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return waiting_.empty() && at_work_ == 0; });
    if (error_) {
        return *error_;
    }
    return PackInfo{.id = digest_.finish(), .size = spool_.size(), .frames = frames_};
}

void FrameSealing::start_anew() {
    const std::lock_guard lock(append_mutex_);
    spool_ = Spool(folder_, kSpoolMemory);
    digest_ = Sha256();
    frames_.clear();
}

std::vector<std::byte> FrameSealing::buffer() {
    const std::lock_guard lock(mutex_);
    if (spare_.empty()) {
        return {};
    }
    auto buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
}

void FrameSealing::run(FrameEncoder& encoder, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (work_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
        FullFrame frame = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= frame.bytes.size();
        ++at_work_;
        const bool lost = error_.has_value();
        lock.unlock();
        sdk::Status status = sdk::without_exceptions("sealing a frame", [&]() -> sdk::Status {
            if (lost) {
                return {};
            }
            const auto stored =
                encoder.encode(frame.account, frame.index, frame.bytes, frame.single_content);
            const std::lock_guard appending(append_mutex_);
            return append_frame(frame, stored);
        });
        wipe_key(frame.account);
        lock.lock();
        --at_work_;
        if (!status && !error_) {
            error_ = std::move(status.error());
        }
        if (spare_.size() < kSpareBuffers) {
            frame.bytes.clear();
            spare_.push_back(std::move(frame.bytes));
        }
        done_.notify_one();
    }
}

sdk::Status FrameSealing::append(std::span<const std::byte> bytes) {
    OPENARCHIVER_CHECK(spool_.write(bytes));
    digest_.update(bytes);
    return {};
}

sdk::Status FrameSealing::append_frame(const FullFrame& frame, std::span<const std::byte> stored) {
    if (spool_.size() == 0) {
        OPENARCHIVER_CHECK(append(pack_header()));
    }
    const std::uint64_t offset = spool_.size();
    OPENARCHIVER_CHECK(append(stored));
    frames_.resize(std::max<std::size_t>(frames_.size(), frame.index + 1U));
    frames_[frame.index] = Frame{.key = frame.account.id,
                                 .offset = offset,
                                 .stored_size = stored.size(),
                                 .raw_size = frame.bytes.size()};
    return {};
}

}  // namespace openarchiver::archive
