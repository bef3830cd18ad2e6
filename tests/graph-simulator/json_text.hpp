// Boost.JSON under a short name, and readers for the control endpoint's parameters.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace graph_simulator {

namespace json = boost::json;

std::string text_or(const json::object& object, std::string_view name, std::string_view other);
std::int64_t number_or(const json::object& object, std::string_view name, std::int64_t other);
double real_or(const json::object& object, std::string_view name, double other);
bool flag_or(const json::object& object, std::string_view name, bool other);

inline std::string str(json::string_view text) {
    return {text.data(), text.size()};
}

inline json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace graph_simulator
