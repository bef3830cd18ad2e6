#pragma once

#include <map>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "connection.hpp"
#include "folder_tree.hpp"

namespace openarchiver::imap {

/// Waits for news in chosen folders, each on a connection and a thread of its own (IDLE, RFC 2177),
/// and tells the engine's waker. What is missed while a connection is down is told when it is up
/// again. Does nothing where nobody listens. Safe for concurrent use.
class FolderWatches {
public:
    explicit FolderWatches(Shared& shared) : shared_(shared) {}

    FolderWatches(const FolderWatches&) = delete;
    FolderWatches& operator=(const FolderWatches&) = delete;
    ~FolderWatches();

    /// The folders of an account were listed: begins to watch those that are to be, ends the
    /// others.
    void watch(const std::string& account, const FolderTree& tree);

private:
    using Place = std::pair<std::string, std::string>;  // account and mailbox

    void follow(const Place& place, std::optional<MailboxState> known, const std::stop_token& stop);
    /// Until the connection breaks. `answered` once the server has been heard of.
    sdk::Status listen(const Place& place, std::optional<MailboxState>& known, bool& answered,
                       const std::stop_token& stop);
    void news(const std::string& account);

    Shared& shared_;
    std::mutex mutex_;  // guards the rest
    bool told_of_bound_ = false;
    std::map<Place, std::jthread> threads_;
};

}  // namespace openarchiver::imap
