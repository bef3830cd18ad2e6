#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "notify/delivery.hpp"
#include "service/documents.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

sdk::Result<std::vector<const profile::NotificationTarget*>> chosen(
    const profile::Profile& profile, const std::vector<std::string>& ids) {
    const auto& targets = profile.notifications.targets;
    std::vector<const profile::NotificationTarget*> found;
    for (const std::string& id : ids) {
        const auto target = std::ranges::find(targets, id, &profile::NotificationTarget::id);
        if (target == targets.end()) {
            return sdk::Error{sdk::Errc::invalid_argument,
                              "the profile has no notification target \"" + id + "\""};
        }
        found.push_back(&*target);
    }
    if (targets.empty()) {
        return sdk::Error{sdk::Errc::invalid_argument,
                          "the profile has no notification targets: add some to "
                          "notifications.targets (docs/notifications.md)"};
    }
    if (ids.empty()) {
        for (const auto& target : targets) {
            found.push_back(&target);
        }
    }
    return found;
}

Outcome test(Command& command, const std::vector<std::string>& ids) {
    const auto targets = chosen(command.profile(), ids);
    if (!targets) {
        return Outcome::usage(targets.error().message);
    }
    const auto now = sdk::timestamp_of(command.clock());
    std::vector<sdk::Status> sends(targets->size());
    {
        // Side by side: each may take half a minute to find out that nobody answers.
        std::vector<std::jthread> deliveries;
        for (std::size_t i = 0; i < targets->size(); ++i) {
            deliveries.emplace_back([&, i] {
                sends[i] = notify::deliver(*(*targets)[i], notify::new_notification({}, now),
                                           command.stop());
            });
        }
    }
    ExitCode worst = ExitCode::done;
    Table table({{"TARGET"}, {"KIND"}, {"OUTCOME"}, {"DETAIL"}});
    json::array outcomes;
    for (std::size_t i = 0; i < targets->size(); ++i) {
        const profile::NotificationTarget* const target = (*targets)[i];
        const sdk::Status& sent = sends[i];
        const char* const kind = target->webhook ? "webhook" : "smtp";
        table.row(
            {target->id, kind, sent ? "sent" : "FAILED", sent ? "" : plain(sent.error().message)});
        outcomes.push_back({{"id", target->id},
                            {"kind", kind},
                            {"sent", sent.has_value()},
                            {"error", sent ? json::value() : service::error_value(sent.error())}});
        if (!sent) {
            worst = service::worse(worst, service::exit_code(Origin::upstream, sent.error().code));
        }
    }
    if (command.json()) {
        command.document(json::serialize(json::object{{"targets", std::move(outcomes)}}));
    } else {
        command.print(table.text());
    }
    return worst;
}

}  // namespace

void register_notify(Verb& program) {
    const auto targets =
        std::make_shared<std::vector<std::string>>();  // shared: filled here, used in the action
    Verb notify = program.verb("notify", "Notifications by webhook and mail.");
    Verb verb = notify.verb(
        "test",
        "Sends a test to each notification target of the profile, and says what came of it.");
    verb.option("--target", *targets, "ID", "only this target; may be given more than once");
    verb.action([targets](Command& command) { return test(command, *targets); });
}

}  // namespace openarchiver::cli
