#include "export/read_ahead.hpp"

#include <openarchiver/sdk/exceptions.hpp>
#include <utility>

namespace openarchiver::exporter {

using sdk::Status;

namespace {

// Larger contents are passed on while they are read.
constexpr std::uint64_t kMaxContent = 4U << 20;
constexpr std::uint64_t kMaxMemory = 32U << 20;
constexpr std::size_t kMaxEntries = 512;
constexpr std::size_t kSpareBuffers = 16;
// Also where there are fewer processors: a store may be far away.
constexpr unsigned kThreads = 4;

class MemorySink final : public sdk::ByteSink {
public:
    explicit MemorySink(std::vector<std::byte>& target) : target_(target) {}

    Status write(std::span<const std::byte> bytes) override {
        target_.insert(target_.end(), bytes.begin(), bytes.end());
        return {};
    }

private:
    std::vector<std::byte>& target_;
};

}  // namespace

ReadAhead::ReadAhead(Read read) : read_(std::move(read)) {
    for (unsigned i = 0; i < kThreads; ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    }
}

ReadAhead::~ReadAhead() {
    for (auto& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
}

void ReadAhead::add(const catalog::VersionRecord& version, bool ahead) {
    line_.push_back(std::make_unique<Entry>());
    Entry& entry = *line_.back();
    entry.version = version;
    if (!ahead || version.size > kMaxContent) {
        return;
    }
    entry.memory = version.size;
    memory_ += entry.memory;
    {
        const std::lock_guard lock(mutex_);
        entry.state = State::wanted;
        wanted_.push_back(&entry);
    }
    work_.notify_one();
}

bool ReadAhead::full() const {
    return line_.size() >= kMaxEntries || memory_ >= kMaxMemory;
}

bool ReadAhead::half_full() const {
    return line_.size() >= kMaxEntries / 2 || memory_ >= kMaxMemory / 2;
}

Status ReadAhead::read_first(sdk::ByteSink& sink) {
    Entry& entry = *line_.front();
    {
        std::unique_lock lock(mutex_);
        done_.wait(lock, [&] { return entry.state != State::reading; });
        if (entry.state == State::wanted) {
            std::erase(wanted_, &entry);  // no thread came to it yet
            entry.state = State::idle;
        }
    }
    if (entry.state == State::idle) {
        return read_(entry.version, sink);
    }
    OPENARCHIVER_CHECK(entry.status);
    return sink.write(entry.bytes);
}

void ReadAhead::drop_first() {
    Entry& entry = *line_.front();
    {
        std::unique_lock lock(mutex_);
        if (entry.state == State::wanted) {
            std::erase(wanted_, &entry);
        }
        done_.wait(lock, [&] { return entry.state != State::reading; });
        if (entry.bytes.capacity() > 0 && spare_.size() < kSpareBuffers) {
            entry.bytes.clear();
            spare_.push_back(std::move(entry.bytes));
        }
    }
    memory_ -= entry.memory;
    line_.pop_front();
}

void ReadAhead::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (work_.wait(lock, stop, [&] { return !wanted_.empty(); }) && !stop.stop_requested()) {
        Entry& entry = *wanted_.front();
        wanted_.pop_front();
        entry.state = State::reading;
        std::vector<std::byte> bytes;
        if (!spare_.empty()) {
            bytes = std::move(spare_.back());
            spare_.pop_back();
        }
        lock.unlock();
        Status status = sdk::without_exceptions("reading a content", [&] {
            bytes.reserve(static_cast<std::size_t>(entry.version.size));
            MemorySink sink(bytes);
            return read_(entry.version, sink);
        });
        lock.lock();
        entry.bytes = std::move(bytes);
        entry.status = std::move(status);
        entry.state = State::read;
        done_.notify_one();
    }
}

}  // namespace openarchiver::exporter
