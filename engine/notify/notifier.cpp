#include "notify/notifier.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "files/shared_file.hpp"
#include "notify/delivery.hpp"

namespace openarchiver::notify {

namespace fs = std::filesystem;

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kFirstWait = 10s;
constexpr std::chrono::seconds kLongestWait = 1h;
constexpr std::uintmax_t kMostBytes = std::uintmax_t{16} << 20;

}  // namespace

fs::path ledger_file(const fs::path& catalog_folder) {
    return catalog_folder / "notifications.json";
}

std::string read_ledger(const fs::path& file) {
    std::error_code error;
    if (const auto size = fs::file_size(file, error); error || size > kMostBytes) {
        return {};
    }
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

Notifier::Notifier(Options options)
    : options_(std::move(options)),
      ledger_(options_.settings, read_ledger(ledger_file(options_.catalog_folder))) {
    for (const auto& target : options_.settings.targets) {
        threads_.emplace_back(
            [this, &target](const std::stop_token& stop) { serve(target, stop); });
    }
}

Notifier::~Notifier() {
    for (auto& thread : threads_) {
        thread.request_stop();
    }
    threads_.clear();
}

sdk::Timestamp Notifier::now() const {
    return sdk::timestamp_of(options_.clock);
}

void Notifier::observe(const Observation& observation) {
    const std::lock_guard lock(mutex_);
    ledger_.observe(observation, now());
    ++observations_;
    save();
    observed_.notify_all();
}

void Notifier::serve(const profile::NotificationTarget& target, const std::stop_token& stop) {
    std::uint64_t seen = 0;
    std::chrono::seconds wait = 0s;
    auto not_before = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (observed_.wait(lock, stop, [&] { return observations_ != seen; })) {
        seen = observations_;
        std::vector<Notice> notices = ledger_.due(target, now());
        if (notices.empty() || std::chrono::steady_clock::now() < not_before) {
            continue;
        }
        lock.unlock();
        for (Notice& notice : notices) {
            if (target.name_accounts && notice.condition.kind == Kind::attention &&
                notice.condition.degree > 1 && notice.change != Change::over) {
                notice.accounts = options_.failed_accounts(notice.condition.subject);
            }
        }
        const sdk::Status sent = deliver(target, new_notification(notices, now()), stop);
        if (stop.stop_requested() && !sent) {
            return;
        }
        lock.lock();
        log_outcome(target, notices, sent);
        if (sent) {
            ledger_.record_sent(target.id, notices, now());
            wait = 0s;
        } else {
            ledger_.record_failed(target.id, sent.error().message, now());
            wait = std::clamp(2 * wait, kFirstWait, kLongestWait);
        }
        not_before = std::chrono::steady_clock::now() + wait;
        save();
    }
}

void Notifier::log_outcome(const profile::NotificationTarget& target,
                           const std::vector<Notice>& notices, const sdk::Status& sent) {
    if (!sent) {
        // Once for each reason, not for each try.
        if (ledger_.targets().at(target.id).error != sent.error().message) {
            options_.log->warn(
                "OA-6002 a notification was not sent: target={}: {}; it is tried again", target.id,
                sent.error().message);
        }
        return;
    }
    std::string told;
    for (const Notice& notice : notices) {
        told += " " + notice.condition.key() + "=" + std::string(to_string(notice.change));
    }
    options_.log->info("OA-6001 notification sent: target={}{}", target.id, told);
}

void Notifier::save() {
    std::string text = ledger_.to_json();
    if (text == saved_) {
        return;
    }
    const sdk::Status written =
        files::replace_file(ledger_file(options_.catalog_folder), text, files::Readers::everyone);
    if (!written && !save_failed_) {
        options_.log->warn(
            "OA-6003 what was notified is not kept: {}; after a restart it is told again",
            written.error().message);
    }
    save_failed_ = !written;
    saved_ = written ? std::move(text) : std::string();
}

}  // namespace openarchiver::notify
