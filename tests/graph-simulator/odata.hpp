// Query options and preferences, read as strictly as Graph does.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http_types.hpp"

namespace graph_simulator {

class Query {
public:
    // Throws GraphError for a broken escape or a repeated option.
    static Query parse(std::string_view raw);

    const std::string* find(std::string_view name) const;
    std::string get(std::string_view name) const;
    bool is_true(std::string_view name) const;

    bool empty() const { return options_.empty(); }

    // Throws GraphError for an option that is not listed.
    void allow(std::initializer_list<std::string_view> names) const;
    // A positive number, nothing when absent; throws GraphError otherwise.
    std::optional<std::int64_t> number(std::string_view name, std::int64_t least) const;

private:
    std::vector<std::pair<std::string, std::string>> options_;
};

class Select {
public:
    Select() = default;
    // Throws GraphError for a name that the type does not have.
    static Select parse(std::string_view list, std::span<const std::string_view> known,
                        std::string_view type);

    bool everything() const { return names_.empty(); }

    bool has(std::string_view name) const;

    const std::vector<std::string>& names() const { return names_; }

    std::string context() const;  // "(id,subject)" or ""

private:
    std::vector<std::string> names_;
};

struct Preferences {
    bool immutable_ids = false;
    bool minimal = false;
    std::optional<std::int64_t> max_page_size;
    std::string applied;  // for Preference-Applied
};

Preferences parse_preferences(const Headers& headers);

struct OrderBy {
    std::string property;
    bool descending = false;
};

std::vector<OrderBy> parse_order(std::string_view text);

GraphError bad_request(std::string message);

}  // namespace graph_simulator
