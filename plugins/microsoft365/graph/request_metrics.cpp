#include "graph/request_metrics.hpp"

#include <string>

namespace openarchiver::microsoft365 {

namespace {

std::string with_route(std::string_view name, std::string_view route) {
    return std::string(name) + "{route=\"" + std::string(route) + "\"}";
}

void count(sdk::Metrics& metrics, std::string_view route, std::string_view status) {
    std::string name = with_route("requests_total", route);
    name.insert(name.size() - 1, ",status=\"" + std::string(status) + "\"");
    metrics.add(name, 1);
}

bool has(std::string_view path, std::string_view segment) {
    return path.find(segment) != std::string_view::npos;
}

}  // namespace

std::string_view route_of(std::string_view target) {
    // Ids are percent-encoded, so a '/' always parts segments.
    const std::string_view path = target.substr(0, target.find('?'));
    const bool delta = path.ends_with("/delta") || has(path, "/delta(");
    if (has(path, "/attachments")) {
        return "attachments";
    }
    if (path.ends_with("/$value")) {
        return "value";
    }
    if (has(path, "/messages")) {
        return delta ? "delta" : path.ends_with("/messages") ? "messages" : "message";
    }
    if (has(path, "/mailFolders")) {
        return delta ? "folders_delta" : "folders";
    }
    if (has(path, "/mailboxSettings")) {
        return "mailbox_settings";
    }
    if (has(path, "/groups")) {
        return "groups";
    }
    if (path.ends_with("/$batch")) {
        return "batch";
    }
    if (has(path, "/subscriptions")) {
        return "subscriptions";
    }
    if (has(path, "/users")) {
        return delta ? "users_delta" : path.ends_with("/users") ? "users" : "user";
    }
    return "other";
}

void count_answer(sdk::Metrics& metrics, std::string_view route, int status) {
    count(metrics, route, std::to_string(status));
}

void count_unanswered(sdk::Metrics& metrics, std::string_view route) {
    count(metrics, route, "none");
}

void count_bytes(sdk::Metrics& metrics, std::string_view route, std::uint64_t bytes) {
    metrics.add(with_route("response_bytes_total", route), bytes);
}

void count_wait(sdk::Metrics& metrics, std::chrono::nanoseconds waited) {
    if (const auto whole = std::chrono::round<std::chrono::milliseconds>(waited).count();
        whole > 0) {
        metrics.add("request_wait_milliseconds_total", static_cast<std::uint64_t>(whole));
    }
}

}  // namespace openarchiver::microsoft365
