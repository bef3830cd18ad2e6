// $filter: a parser and evaluator for the operators Graph documents.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json_text.hpp"

namespace graph_simulator {

class Filter {
public:
    using Lookup = std::function<json::value(std::string_view property)>;

    // Throws GraphError for a syntax error or an unknown property.
    static Filter parse(std::string_view text, std::span<const std::string_view> known,
                        std::string_view type);
    ~Filter();
    Filter(Filter&&) noexcept;
    Filter& operator=(Filter&&) noexcept;

    bool matches(const Lookup& lookup) const;

    // Operators and functions used, lower case: eq, ne, startswith ...
    const std::vector<std::string>& operators() const { return operators_; }

    const std::vector<std::string>& properties() const { return properties_; }

    bool uses(std::string_view name) const;

    // The only form message delta takes: receivedDateTime ge X or gt X.
    struct Since {
        bool inclusive = true;
        std::string time;
    };

    bool is_since(Since& since) const;

    struct Node;

private:
    Filter();
    std::unique_ptr<Node> root_;
    std::vector<std::string> operators_;
    std::vector<std::string> properties_;
};

}  // namespace graph_simulator
