#include "folder_watch.hpp"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <vector>

#include "failure.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;
using std::chrono::seconds;

constexpr seconds kFirstWait{5};
constexpr seconds kLongestWait{300};
/// A refused sign-in, repeated, may lock an account; the sync run tells of it anyway.
constexpr seconds kWaitWhereRefused{900};

void sleep(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, time, [] { return false; });
}

}  // namespace

FolderWatches::~FolderWatches() {
    // All of them first: each takes a moment to notice.
    for (auto& [place, thread] : threads_) {
        thread.request_stop();
    }
}

void FolderWatches::watch(const std::string& account, const FolderTree& tree) {
    if (!shared_.host.waker.listens()) {
        return;
    }
    std::map<Place, std::optional<MailboxState>> wanted;
    for (const FolderEntry& entry : tree.entries) {
        if (entry.watched) {
            wanted.emplace(Place{account, entry.mailbox}, entry.state);
        }
    }
    std::vector<std::jthread> ended;  // joined without holding the lock
    const std::lock_guard lock(mutex_);
    for (auto at = threads_.begin(); at != threads_.end();) {
        if (at->first.first == account && !wanted.contains(at->first)) {
            at->second.request_stop();
            ended.push_back(std::move(at->second));
            at = threads_.erase(at);
        } else {
            ++at;
        }
    }
    for (auto& [place, state] : wanted) {
        if (threads_.contains(place)) {
            continue;
        }
        if (threads_.size() >= shared_.settings.watch_connections) {
            if (!std::exchange(told_of_bound_, true)) {
                shared_.host.logger.log(
                    sdk::LogLevel::info,
                    "OA-8101 not all folders are watched for news: there are more than "
                    "watch.connections; the others wait for the schedule");
            }
            break;
        }
        threads_.emplace(place, [this, place, state](const std::stop_token& stop) {
            follow(place, state, stop);
        });
    }
}

void FolderWatches::news(const std::string& account) {
    shared_.host.metrics.add("news", 1);
    shared_.host.waker.changed(account);
}

void FolderWatches::follow(const Place& place, std::optional<MailboxState> known,
                           const std::stop_token& stop) {
    seconds wait = kFirstWait;
    while (!stop.stop_requested()) {
        bool answered = false;
        sdk::Error error;
        try {
            error = listen(place, known, answered, stop).error();
        } catch (const std::exception& exception) {
            error = failure(Errc::internal, exception.what());
        }
        if (error.code == Errc::unsupported || stop.stop_requested()) {
            return;  // the preflight says so
        }
        wait = answered ? kFirstWait : std::min(wait * 2, kLongestWait);
        if (error.code == Errc::unauthenticated || error.code == Errc::permission_denied) {
            wait = kWaitWhereRefused;
        }
        shared_.host.logger.log(
            answered ? sdk::LogLevel::debug : sdk::LogLevel::warning,
            "OA-8102 a folder is not watched for news meanwhile: " + error.message,
            {{"code", sdk::to_string(error.code)},
             {"again_after_seconds", std::to_string(wait.count())}});
        sleep(std::max<std::chrono::milliseconds>(wait, error.retry_after.value_or(seconds(0))),
              stop);
    }
}

sdk::Status FolderWatches::listen(const Place& place, std::optional<MailboxState>& known,
                                  bool& answered, const std::stop_token& stop) {
    const auto& [account, mailbox] = place;
    OPENARCHIVER_TRY(const auto connection, Connection::reach(shared_, stop));
    OPENARCHIVER_CHECK(connection->sign_in(account, stop));
    if (!connection->can("IDLE")) {
        return failure(Errc::unsupported, "the server has no IDLE");
    }
    OPENARCHIVER_TRY(const Mailbox opened, connection->examine(mailbox, stop));
    // Whatever came before this moment is not told of any more.
    const bool as_listed = known && known->uid_validity == opened.uid_validity &&
                           known->uid_next == opened.uid_next && known->messages == opened.messages;
    if (!as_listed) {
        news(account);
    }
    known.reset();
    for (;;) {
        OPENARCHIVER_TRY(const bool heard, connection->idle(shared_.settings.watch_renew, stop));
        answered = true;
        if (heard) {
            news(account);
        }
    }
}

}  // namespace openarchiver::imap
