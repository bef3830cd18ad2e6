// What was asked and how it went: a bounded log and totals.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>

#include "json_text.hpp"

namespace graph_simulator {

struct LogRecord {
    std::uint64_t sequence = 0;
    std::int64_t time_ms = 0;
    std::string method;
    std::string route;
    std::string user;  // user principal name at that time
    std::string path;
    std::string message;  // immutable id, for $value
    int status = 0;
    std::uint64_t bytes = 0;
    std::int64_t in_flight = 0;
    double duration_ms = 0;
    std::uint64_t fault = 0;
    bool batch = false;
    bool complete = true;
};

class RequestLog {
public:
    void add(LogRecord record);
    json::object entries(std::uint64_t since, std::uint64_t limit) const;
    json::object metrics() const;
    void reset_metrics();

private:
    std::deque<LogRecord> records_;
    std::uint64_t sequence_ = 0;
    std::uint64_t requests_ = 0;
    std::uint64_t throttled_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t incomplete_ = 0;
    std::map<std::string, std::map<int, std::uint64_t>> by_route_;
    std::map<std::string, std::int64_t> max_in_flight_;
    std::map<std::string, std::uint64_t> by_user_;
    std::unordered_map<std::string, std::uint32_t> fetches_;
};

}  // namespace graph_simulator
