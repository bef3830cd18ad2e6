#include "notify/ledger.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

namespace openarchiver::notify {

namespace json = boost::json;

namespace {

std::int64_t number_of(sdk::Timestamp time) {
    return time.time_since_epoch().count();
}

sdk::Timestamp time_in(const json::object& object, std::string_view name) {
    const auto* const found = object.if_contains(name);
    return sdk::Timestamp(
        std::chrono::milliseconds(found != nullptr && found->is_int64() ? found->get_int64() : 0));
}

int degree_in(const json::object& object) {
    const auto* const found = object.if_contains("degree");
    return found != nullptr && found->is_int64() ? static_cast<int>(found->get_int64()) : 0;
}

std::string text_in(const json::object& object, std::string_view name) {
    const auto* const found = object.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string())
                                                  : std::string();
}

/// The members that are objects.
template <typename Take>
void each_object(const json::object& owner, std::string_view name, const Take& take) {
    const auto* const found = owner.if_contains(name);
    if (found == nullptr || !found->is_object()) {
        return;
    }
    for (const auto& [key, value] : found->get_object()) {
        if (const auto* object = value.if_object()) {
            take(std::string(key), *object);
        }
    }
}

bool wants(const profile::NotificationTarget& target, Kind kind) {
    return target.conditions.empty() ||
           std::ranges::find(target.conditions, to_string(kind)) != target.conditions.end();
}

/// Times ahead of now come from a clock that was wrong, and would count for ever.
void at_most(sdk::Timestamp& time, sdk::Timestamp now) {
    time = std::min(time, now);
}

}  // namespace

Ledger::Ledger(const profile::Notifications& settings, std::string_view text)
    : settings_(settings) {
    for (const auto& target : settings.targets) {
        targets_.try_emplace(target.id);
    }
    json::error_code broken;
    const json::value document = json::parse({text.data(), text.size()}, broken);
    const auto* const root = broken ? nullptr : document.if_object();
    if (root == nullptr) {
        return;
    }
    each_object(*root, "conditions", [&](const std::string& key, const json::object& object) {
        const auto kind = kind_of(key.substr(0, key.find('/')));
        if (kind) {
            watched_[key] = {.condition = {.kind = *kind,
                                           .subject = key.substr(key.find('/') + 1),
                                           .name = text_in(object, "name"),
                                           .degree = degree_in(object),
                                           .summary = text_in(object, "summary")},
                             .since = time_in(object, "since"),
                             .over_since = time_in(object, "over_since")};
        }
    });
    each_object(*root, "targets", [&](const std::string& id, const json::object& object) {
        const auto target =
            std::ranges::find(settings.targets, id, &profile::NotificationTarget::id);
        if (target == settings.targets.end()) {
            return;
        }
        TargetState& state = targets_.at(id);
        state.sent_at = time_in(object, "sent_at");
        state.failing_since = time_in(object, "failing_since");
        state.error = text_in(object, "error");
        each_object(object, "told", [&](const std::string& key, const json::object& told) {
            const auto watched = watched_.find(key);
            if (watched != watched_.end() && wants(*target, watched->second.condition.kind)) {
                state.told[key] = {.degree = degree_in(told), .at = time_in(told, "at")};
            }
        });
    });
}

void Ledger::observe(const Observation& observation, sdk::Timestamp now) {
    std::set<std::string> seen;
    for (const Condition& condition : observation.conditions) {
        const std::string key = condition.key();
        seen.insert(key);
        Watched& watched = watched_[key];
        if (watched.since == sdk::Timestamp{} || is_over(watched, now)) {
            watched.since = now;
        }
        watched.condition = condition;
        watched.over_since = {};
    }
    for (auto& [key, watched] : watched_) {
        if (observation.complete && !seen.contains(key) && watched.over_since == sdk::Timestamp{}) {
            watched.over_since = now;
        }
        at_most(watched.since, now);
        at_most(watched.over_since, now);
    }
    for (auto& [id, target] : targets_) {
        for (auto& [key, told] : target.told) {
            at_most(told.at, now);
        }
    }
    drop(observation, now);
}

void Ledger::drop(const Observation& observation, sdk::Timestamp now) {
    std::erase_if(watched_, [&](const auto& entry) {
        const auto& [key, watched] = entry;
        const bool unconcerned =
            observation.complete && !observation.subjects.contains(watched.condition.subject);
        const bool settled =
            is_over(watched, now) && std::ranges::none_of(targets_, [&](const auto& target) {
                return target.second.told.contains(key);
            });
        return unconcerned || settled;
    });
    for (auto& [id, target] : targets_) {
        std::erase_if(target.told,
                      [&](const auto& told) { return !watched_.contains(told.first); });
    }
}

bool Ledger::is_over(const Watched& watched, sdk::Timestamp now) const {
    return watched.over_since != sdk::Timestamp{} && now - watched.over_since >= settings_.after;
}

std::vector<Notice> Ledger::due(const profile::NotificationTarget& target,
                                sdk::Timestamp now) const {
    std::vector<Notice> notices;
    const auto state = targets_.find(target.id);
    for (const auto& [key, watched] : watched_) {
        const Condition& condition = watched.condition;
        if (!wants(target, condition.kind) || state == targets_.end() ||
            notices.size() == kMostNotices) {
            continue;
        }
        const auto told = state->second.told.find(key);
        const bool knows = told != state->second.told.end();
        std::optional<Change> change;
        if (is_over(watched, now)) {
            change = knows ? std::optional(Change::over) : std::nullopt;
        } else if (watched.over_since != sdk::Timestamp{}) {
            // It may come back yet.
        } else if (!knows) {
            change = now - watched.since >= settings_.after ? std::optional(Change::begun)
                                                            : std::nullopt;
        } else if (condition.degree > told->second.degree) {
            change = Change::worse;
        } else if (now - told->second.at >= condition.patience * settings_.remind_every) {
            change = Change::reminder;
        }
        if (change) {
            notices.push_back({.change = *change, .condition = condition, .since = watched.since});
        }
    }
    return notices;
}

void Ledger::record_sent(const std::string& target, const std::vector<Notice>& notices,
                         sdk::Timestamp now) {
    TargetState& state = targets_.at(target);
    for (const Notice& notice : notices) {
        const std::string key = notice.condition.key();
        if (notice.change == Change::over) {
            state.told.erase(key);
        } else {
            auto& told = state.told[key];
            told = {.degree = std::max(told.degree, notice.condition.degree), .at = now};
        }
    }
    state.sent_at = now;
    state.failing_since = {};
    state.error.clear();
}

void Ledger::record_failed(const std::string& target, const std::string& error,
                           sdk::Timestamp now) {
    TargetState& state = targets_.at(target);
    if (state.failing_since == sdk::Timestamp{}) {
        state.failing_since = now;
    }
    state.error = error;
}

std::string Ledger::to_json() const {
    json::object conditions;
    for (const auto& [key, watched] : watched_) {
        conditions[key] = {{"name", watched.condition.name},
                           {"degree", watched.condition.degree},
                           {"summary", watched.condition.summary},
                           {"since", number_of(watched.since)},
                           {"over_since", number_of(watched.over_since)}};
    }
    json::object targets;
    for (const auto& [id, state] : targets_) {
        json::object told;
        for (const auto& [key, one] : state.told) {
            told[key] = {{"degree", one.degree}, {"at", number_of(one.at)}};
        }
        targets[id] = {{"sent_at", number_of(state.sent_at)},
                       {"failing_since", number_of(state.failing_since)},
                       {"error", state.error},
                       {"told", std::move(told)}};
    }
    return json::serialize(json::object{{"conditions", std::move(conditions)},
                                        {"targets", std::move(targets)}}) +
           "\n";
}

}  // namespace openarchiver::notify
