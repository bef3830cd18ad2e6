// Rules that make requests fail in chosen ways.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.hpp"
#include "http_types.hpp"
#include "json_text.hpp"
#include "settings.hpp"

namespace graph_simulator {

struct FaultAction {
    std::optional<int> status;
    std::string code;
    std::string message;
    std::string inner_code;
    Headers headers;
    std::optional<std::string> body;
    std::string content_type;
    std::int64_t delay_ms = 0;
    bool hang = false;
    bool html = false;
    bool no_response = false;
    bool close_connection = false;
    std::optional<std::uint64_t> reset_after_bytes;
    std::optional<std::uint64_t> close_after_bytes;
    std::optional<std::uint64_t> stall_after_bytes;
    std::optional<std::uint64_t> short_content_length;
    std::optional<std::uint64_t> truncate_body;
    std::string redirect;
    std::string next_link;
    bool drop_links = false;
    bool both_links = false;
    bool duplicate_items = false;
    bool reverse_items = false;
    json::array first_items;  // put before and behind those of a page
    json::array last_items;
    std::string loop;  // "same" or "changing"
    bool empty_body = false;
    std::optional<std::pair<std::string, std::string>> replace;  // text of the body, once
    bool gzip = false;
    bool close_silently = false;
    std::int64_t pause_in_head_ms = 0;

    bool replaces_reply() const;
    bool edits_page() const;
};

struct FaultTarget {
    std::string_view route;
    std::string_view user_id;
    std::string_view user_name;
    std::string_view message;  // immutable id
    std::string_view path;
};

// The request that is being answered.
struct FaultScene {
    std::string request_id;
    std::string url;
    std::uint64_t fired = 0;  // how often the rule has, this time included
};

struct FaultRule {
    std::uint64_t id = 0;
    std::string route = "any";
    std::string user;
    std::string message;
    std::string path_contains;
    std::uint64_t nth = 0;
    std::uint64_t every = 0;
    double probability = 1.0;
    std::uint64_t times = 0;  // 0: no bound
    std::uint64_t matched = 0;
    std::uint64_t fired = 0;
    std::optional<Random> random;  // its own, with a seed
    FaultAction action;
};

class FaultPlan {
public:
    explicit FaultPlan(std::uint64_t seed) : random_(seed) {}

    // Throws std::invalid_argument for unknown members.
    std::uint64_t add(const json::object& rule);

    void clear() { rules_.clear(); }

    bool remove(std::uint64_t id);
    json::array to_json() const;

    struct Hit {
        std::uint64_t rule = 0;
        std::uint64_t fired = 0;
        std::shared_ptr<const FaultAction> action;  // null: no fault
    };

    Hit match(const FaultTarget& target);

private:
    std::vector<std::pair<FaultRule, std::shared_ptr<const FaultAction>>> rules_;
    std::uint64_t next_id_ = 1;
    Random random_;
};

// Applies the parts of an action that alter a finished reply.
void damage_reply(Reply& reply, const FaultAction& action, const FaultScene& scene);

}  // namespace graph_simulator
