#include "request_log.hpp"

#include <algorithm>

namespace graph_simulator {
namespace {

constexpr std::size_t kMostRecords = 200000;
constexpr std::size_t kLongestPath = 600;

json::object record_json(const LogRecord& record) {
    json::object out;
    out["sequence"] = record.sequence;
    out["time_ms"] = record.time_ms;
    out["method"] = record.method;
    out["route"] = record.route;
    out["user"] = record.user;
    out["path"] = record.path;
    out["status"] = record.status;
    out["bytes"] = record.bytes;
    out["in_flight"] = record.in_flight;
    out["duration_ms"] = record.duration_ms;
    out["complete"] = record.complete;
    if (record.batch)
        out["batch"] = true;
    if (record.fault != 0)
        out["fault"] = record.fault;
    return out;
}

}  // namespace

void RequestLog::add(LogRecord record) {
    record.sequence = ++sequence_;
    if (record.path.size() > kLongestPath)
        record.path.resize(kLongestPath);
    ++requests_;
    bytes_ += record.bytes;
    if (record.status == 429)
        ++throttled_;
    if (!record.complete)
        ++incomplete_;
    ++by_route_[record.route][record.status];
    if (!record.user.empty()) {
        ++by_user_[record.user];
        std::int64_t& most = max_in_flight_[record.user];
        most = std::max(most, record.in_flight);
    }
    if (!record.message.empty() && record.status == 200 && record.complete) {
        ++fetches_[record.message];
    }
    records_.push_back(std::move(record));
    if (records_.size() > kMostRecords)
        records_.pop_front();
}

json::object RequestLog::entries(std::uint64_t since, std::uint64_t limit) const {
    json::array list;
    const std::uint64_t first = records_.empty() ? 1 : records_.front().sequence;
    const std::uint64_t skip = since + 1 > first ? since + 1 - first : 0;
    for (std::uint64_t i = skip; i < records_.size() && list.size() < limit; ++i) {
        list.push_back(record_json(records_[i]));
    }
    json::object out;
    out["last"] = sequence_;
    out["first_kept"] = first;
    out["entries"] = std::move(list);
    return out;
}

json::object RequestLog::metrics() const {
    json::object routes;
    for (const auto& [route, statuses] : by_route_) {
        json::object counts;
        for (const auto& [status, count] : statuses) counts[std::to_string(status)] = count;
        routes[route] = std::move(counts);
    }
    json::object in_flight;
    for (const auto& [user, most] : max_in_flight_) in_flight[user] = most;
    json::object users;
    for (const auto& [user, count] : by_user_) users[user] = count;
    json::object repeated;
    for (const auto& [message, count] : fetches_) {
        if (count > 1)
            repeated[message] = count;
    }
    json::object out;
    out["requests"] = requests_;
    out["throttled"] = throttled_;
    out["incomplete"] = incomplete_;
    out["bytes"] = bytes_;
    out["routes"] = std::move(routes);
    out["requests_by_mailbox"] = std::move(users);
    out["max_in_flight"] = std::move(in_flight);
    out["value_fetched"] = fetches_.size();
    out["value_repeated"] = std::move(repeated);
    return out;
}

void RequestLog::reset_metrics() {
    requests_ = throttled_ = bytes_ = incomplete_ = 0;
    by_route_.clear();
    max_in_flight_.clear();
    by_user_.clear();
    fetches_.clear();
}

}  // namespace graph_simulator
