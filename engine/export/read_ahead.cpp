#include "export/read_ahead.hpp"

#include <openarchiver/sdk/exceptions.hpp>
#include <optional>
#include <utility>

namespace openarchiver::exporter {

using sdk::Status;

namespace {

// Larger contents are passed on while they are read.
constexpr std::uint64_t kMaxContent = 4U << 20;
constexpr std::uint64_t kMaxMemory = 32U << 20;
constexpr std::size_t kMaxEntries = 512;
constexpr std::size_t kMaxSpare = 16U << 20;
// Of a run: about what a frame holds, so that threads rarely want the same one.
constexpr std::uint64_t kRunSize = 2U << 20;
constexpr std::size_t kRunEntries = 32;
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

enum class State : std::uint8_t { idle, wanted, reading, read };

}  // namespace

struct ReadAhead::Entry {
    catalog::VersionRecord version;
    State state = State::idle;
    std::uint64_t memory = 0;  // that it counts for
    std::vector<std::byte> bytes;
    std::optional<std::vector<std::int64_t>> folders;
    Status status;
};

ReadAhead::ReadAhead(access::ArchiveReader& reader, catalog::CatalogReader& catalog,
                     std::stop_token stop)
    : reader_(reader), catalog_(catalog), stop_(std::move(stop)) {
    for (unsigned i = 0; i < kThreads; ++i) {
        threads_.emplace_back([this](const std::stop_token& ended) { work(ended); });
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
    const bool whole = [&] {
        const std::lock_guard lock(mutex_);
        entry.state = State::wanted;
        wanted_.push_back(&entry);
        wanted_size_ += entry.memory;
        return whole_run_wanted();
    }();
    if (whole) {
        work_.notify_one();
    }
}

bool ReadAhead::whole_run_wanted() const {
    return wanted_size_ >= kRunSize || wanted_.size() >= kRunEntries;
}

void ReadAhead::no_longer_wanted(Entry& entry) {
    if (entry.state == State::wanted) {
        std::erase(wanted_, &entry);
        wanted_size_ -= entry.memory;
        entry.state = State::idle;
    }
}

bool ReadAhead::full() const {
    return line_.size() >= kMaxEntries || memory_ >= kMaxMemory;
}

bool ReadAhead::half_full() const {
    return line_.size() >= kMaxEntries / 2 || memory_ >= kMaxMemory / 2;
}

ReadAhead::Taken ReadAhead::take_first() {
    Entry& entry = *line_.front();
    {
        std::unique_lock lock(mutex_);
        done_.wait(lock, [&] { return entry.state != State::reading; });
        no_longer_wanted(entry);  // no thread came to it yet
    }
    memory_ -= entry.memory;
    Taken taken(*this, std::move(line_.front()));
    line_.pop_front();
    return taken;
}

ReadAhead::Taken::Taken(ReadAhead& from, std::unique_ptr<Entry> entry)
    : from_(from), entry_(std::move(entry)) {}

ReadAhead::Taken::Taken(Taken&& other) noexcept = default;

ReadAhead::Taken::~Taken() {
    if (entry_) {
        from_.give_back(std::move(entry_->bytes));
    }
}

const catalog::VersionRecord& ReadAhead::Taken::version() const {
    return entry_->version;
}

std::uint64_t ReadAhead::Taken::memory() const {
    return entry_->memory;
}

sdk::Result<std::vector<std::int64_t>> ReadAhead::Taken::folders() const {
    if (entry_->folders) {
        return *entry_->folders;
    }
    return from_.catalog_.folders_of(entry_->version.item_key);
}

Status ReadAhead::Taken::read(sdk::ByteSink& sink) const {
    if (entry_->state == State::idle) {
        return from_.reader_.read(from_.catalog_, entry_->version, sink, from_.stop_);
    }
    OPENARCHIVER_CHECK(entry_->status);
    return sink.write(entry_->bytes);
}

void ReadAhead::give_back(std::vector<std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    if (spare_size_ + bytes.capacity() <= kMaxSpare) {
        bytes.clear();
        spare_size_ += bytes.capacity();
        spare_.push_back(std::move(bytes));
    }
}

void ReadAhead::work(const std::stop_token& ended) {
    std::unique_lock lock(mutex_);
    while (work_.wait(lock, ended, [&] { return whole_run_wanted(); }) && !ended.stop_requested()) {
        const auto run = take_run();
        lock.unlock();
        read_run(run);
        lock.lock();
    }
}

std::vector<ReadAhead::Entry*> ReadAhead::take_run() {
    std::vector<Entry*> run;
    for (std::uint64_t size = 0; !wanted_.empty() && size < kRunSize && run.size() < kRunEntries;
         wanted_.pop_front()) {
        Entry& entry = *wanted_.front();
        entry.state = State::reading;
        size += entry.memory;
        wanted_size_ -= entry.memory;
        if (!spare_.empty()) {
            entry.bytes = std::move(spare_.back());
            spare_.pop_back();
            spare_size_ -= entry.bytes.capacity();
        }
        run.push_back(&entry);
    }
    return run;
}

void ReadAhead::read_run(const std::vector<Entry*>& run) {
    std::vector<std::int64_t> contents;
    std::vector<std::int64_t> items;
    for (const Entry* entry : run) {
        contents.push_back(entry->version.content_key);
        items.push_back(entry->version.item_key);
    }
    // One that can't be found must not take the others with it: then each is looked up by itself.
    const auto stored = catalog_.stored(contents);
    auto folders = catalog_.folders_of(items);
    for (std::size_t i = 0; i < run.size(); ++i) {
        Entry& entry = *run[i];
        if (folders) {
            entry.folders = std::move((*folders)[i]);
        }
        Status status = sdk::without_exceptions("reading a content", [&] {
            entry.bytes.reserve(static_cast<std::size_t>(entry.version.size));
            MemorySink sink(entry.bytes);
            return stored ? reader_.archive().packs().read((*stored)[i], sink, stop_)
                          : reader_.read(catalog_, entry.version, sink, stop_);
        });
        const std::lock_guard lock(mutex_);
        entry.status = std::move(status);
        entry.state = State::read;
        done_.notify_one();
    }
}

}  // namespace openarchiver::exporter
