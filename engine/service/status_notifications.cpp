#include "service/status_notifications.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "notify/notifier.hpp"
#include "service/documents.hpp"
#include "service/service.hpp"
#include "service/status_document.hpp"

namespace openarchiver::service {

namespace json = boost::json;

namespace {

using std::chrono::seconds;

/// How often the status is looked at, unless it has to be told sooner.
constexpr seconds kLookEvery{60};
/// A notification names at most so many accounts.
constexpr std::size_t kMostAccounts = 20;

sdk::Result<json::value> status_of(Service& service, const std::stop_token& stop) {
    const access::Context context = service.context();
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(context.profile.archive.catalog_path));
    return status_document(context, catalog.get(), service.live_document(), stop);
}

notify::Observation look(Service& service, const std::stop_token& stop) {
    const access::Context context = service.context();
    const auto status = status_of(service, stop);
    return status ? notify::observe(*status, context.profile.notifications,
                                    context.profile.archive.free_space_floor,
                                    sdk::timestamp_of(context.clock))
                  : notify::nothing_to_see(status.error());
}

std::vector<std::string> failed_accounts(const std::filesystem::path& catalog_folder,
                                         const std::string& source) {
    std::vector<std::string> addresses;
    const auto catalog = catalog::CatalogReader::open(catalog_folder);
    if (!catalog) {
        return addresses;
    }
    const auto accounts = (*catalog)->accounts(source);
    for (const auto& account : accounts ? *accounts : std::vector<catalog::AccountRecord>()) {
        if (account_status(account) == "failed" && addresses.size() < kMostAccounts) {
            addresses.push_back(account.address.empty() ? account.id : account.address);
        }
    }
    return addresses;
}

}  // namespace

void notify_targets(Service& service, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wait;
    while (!stop.stop_requested()) {
        const access::Context context = service.context();
        const profile::Notifications& settings = context.profile.notifications;
        const auto catalog_folder = context.profile.archive.catalog_path;
        notify::Notifier notifier({.settings = settings,
                                   .catalog_folder = catalog_folder,
                                   .clock = context.clock,
                                   .log = context.log,
                                   .failed_accounts = [&](const std::string& source) {
                                       return failed_accounts(catalog_folder, source);
                                   }});
        const seconds every = std::clamp(settings.after / 4, seconds(1), kLookEvery);
        // Until a reload brings other settings.
        while (!stop.stop_requested() && service.context().profile.notifications == settings) {
            if (!settings.targets.empty()) {
                if (const auto seen = look(service, stop); !stop.stop_requested()) {
                    notifier.observe(seen);
                }
            }
            std::unique_lock lock(mutex);
            wait.wait_for(lock, stop, every, [] { return false; });
        }
    }
}

json::value notifications_document(const profile::Profile& profile) {
    const auto& settings = profile.notifications;
    const notify::Ledger ledger(
        settings, notify::read_ledger(notify::ledger_file(profile.archive.catalog_path)));
    json::array targets;
    for (const auto& target : settings.targets) {
        const notify::TargetState& state = ledger.targets().at(target.id);
        json::array told;
        for (const auto& [key, one] : state.told) {
            told.emplace_back(key);
        }
        targets.push_back({{"id", target.id},
                           {"kind", target.webhook ? "webhook" : "smtp"},
                           {"sent_at", time_value(state.sent_at)},
                           {"failing_since", time_value(state.failing_since)},
                           {"error", state.error},
                           {"told", std::move(told)}});
    }
    return targets;
}

}  // namespace openarchiver::service
