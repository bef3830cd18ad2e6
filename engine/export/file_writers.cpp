#include "export/file_writers.hpp"

#include <utility>

namespace openarchiver::exporter {

namespace {

// Also where there are fewer processors: the folder may be far away.
constexpr unsigned kThreads = 4;

}  // namespace

FileWriters::FileWriters() {
    for (unsigned i = 0; i < kThreads; ++i) {
        threads_.emplace_back([this](const std::stop_token& ended) { work(ended); });
    }
}

FileWriters::~FileWriters() {
    for (auto& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
}

std::future<Layout::Stored> FileWriters::put(Store store) {
    auto stored = store.get_future();
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(store));
    }
    changed_.notify_one();
    return stored;
}

void FileWriters::work(const std::stop_token& ended) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, ended, [&] { return !waiting_.empty(); }) &&
           !ended.stop_requested()) {
        Store store = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        store();
        store = {};  // and what it holds
        lock.lock();
    }
}

}  // namespace openarchiver::exporter
