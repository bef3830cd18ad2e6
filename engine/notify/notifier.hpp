#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "notify/condition.hpp"
#include "notify/ledger.hpp"
#include "profile/profile.hpp"

namespace spdlog {
class logger;
}

namespace openarchiver::notify {

/// The ledger's file, beside the catalog; it may be lost: then what lasts is told once more.
[[nodiscard]] std::filesystem::path ledger_file(const std::filesystem::path& catalog_folder);
/// As it was last written; nothing where it can't be read.
[[nodiscard]] std::string read_ledger(const std::filesystem::path& file);

/// Brings each target what it has to be told, by a thread of its own: one that hangs holds up no
/// other, and nobody who observes. What fails is tried again, after 10 s and at last every hour.
class Notifier {
public:
    struct Options {
        const profile::Notifications& settings;
        std::filesystem::path catalog_folder;
        sdk::Clock& clock;
        std::shared_ptr<spdlog::logger> log;  // as spdlog wants it
        /// Addresses of accounts of a source that failed, some of them; from any thread.
        std::function<std::vector<std::string>(const std::string& source)> failed_accounts;
    };

    explicit Notifier(Options options);
    /// Breaks off what is on its way: it is tried again by the next one.
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void observe(const Observation& observation);

private:
    void serve(const profile::NotificationTarget& target, const std::stop_token& stop);
    void log_outcome(const profile::NotificationTarget& target, const std::vector<Notice>& notices,
                     const sdk::Status& sent);
    void save();
    [[nodiscard]] sdk::Timestamp now() const;

    const Options options_;
    std::mutex mutex_;  // guards everything below but the threads
    std::condition_variable_any observed_;
    Ledger ledger_;
    std::uint64_t observations_ = 0;
    std::string saved_;
    bool save_failed_ = false;
    std::vector<std::jthread> threads_;
};

}  // namespace openarchiver::notify
