#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "export/layout.hpp"

namespace openarchiver::exporter {

/// Threads that store versions which are files of their own: to make a file takes longer than to
/// read what goes into it.
class FileWriters {
public:
    FileWriters();
    /// What was not begun is left.
    ~FileWriters();
    FileWriters(const FileWriters&) = delete;
    FileWriters& operator=(const FileWriters&) = delete;

    using Store = std::packaged_task<Layout::Stored()>;

    std::future<Layout::Stored> put(Store store);

private:
    void work(const std::stop_token& ended);

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<Store> waiting_;
    std::vector<std::jthread> threads_;
};

}  // namespace openarchiver::exporter
