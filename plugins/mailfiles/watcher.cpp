#include "watcher.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>
#include <system_error>

namespace openarchiver::mailfiles {

namespace {

/// Files that were closed after writing, renamed to here or linked (as Maildirs are delivered to),
/// and new folders.
constexpr std::uint32_t kArrivals =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR | IN_EXCL_UNLINK;
constexpr int kSliceMs = 250;

}  // namespace

Watcher::Watcher(sdk::Waker& waker, sdk::Logger& logger)
    : waker_(waker), logger_(logger), events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (events_.valid()) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
}

void Watcher::watch(const std::string& account_id, const FileDescriptor& folder) {
    if (!events_.valid()) {
        return;
    }
    // By its descriptor: nobody can put another folder in its place.
    const std::string path = "/proc/self/fd/" + std::to_string(folder.get()) + "/";
    add(account_id, path);
    for (const char* part : {"new", "cur"}) {
        const auto opened = open_folder(folder, part);
        if (opened) {
            add(account_id, "/proc/self/fd/" + std::to_string(opened->get()) + "/");
        }
    }
}

void Watcher::add(const std::string& account_id, const std::string& path) {
    const int watch = ::inotify_add_watch(events_.get(), path.c_str(), kArrivals);
    const std::string reason = watch < 0 ? std::system_category().message(errno) : std::string();
    const std::lock_guard lock(mutex_);
    if (watch >= 0) {
        accounts_[watch] = account_id;
    } else if (!complained_) {
        complained_ = true;
        logger_.log(
            sdk::LogLevel::warning,
            "OA-8202 not all folders can be watched, the schedule finds what arrives there; raise "
            "fs.inotify.max_user_watches",
            {{"reason", reason}});
    }
}

void Watcher::run(const std::stop_token& stop) {
    alignas(inotify_event) std::array<char, 16384> buffer;  // NOLINT: written before it is read
    while (!stop.stop_requested()) {
        pollfd wanted{.fd = events_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&wanted, 1, kSliceMs) <= 0) {
            continue;
        }
        const ssize_t size = ::read(events_.get(), buffer.data(), buffer.size());
        std::set<std::string> changed;
        for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size);) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            at += sizeof event + event.len;
            const std::lock_guard lock(mutex_);
            if ((event.mask & IN_IGNORED) != 0) {
                accounts_.erase(event.wd);
            } else if ((event.mask & IN_Q_OVERFLOW) != 0) {
                changed.emplace();
            } else if (const auto account = accounts_.find(event.wd); account != accounts_.end()) {
                changed.insert(account->second);
            }
        }
        for (const std::string& account : changed) {
            waker_.changed(account);
        }
    }
}

}  // namespace openarchiver::mailfiles
