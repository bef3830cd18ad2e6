#pragma once

#include <map>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <string>
#include <thread>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

/// Tells the engine when something arrives in a folder (inotify), so that it need not wait for its
/// next run. What can't be watched is found by the schedule: on network file systems, what other
/// machines write; beyond the system's limit of watches, the rest.
class Watcher {
public:
    Watcher(sdk::Waker& waker, sdk::Logger& logger);

    /// Watches a folder and, where they are there, its `new` and `cur`. Again costs nothing.
    void watch(const std::string& account_id, const FileDescriptor& folder);

private:
    void add(const std::string& account_id, const std::string& path);
    void run(const std::stop_token& stop);

    sdk::Waker& waker_;
    sdk::Logger& logger_;
    FileDescriptor events_;
    std::mutex mutex_;  // guards the two below
    std::map<int, std::string> accounts_;
    bool complained_ = false;
    std::jthread thread_;  // uses all of the above
};

}  // namespace openarchiver::mailfiles
