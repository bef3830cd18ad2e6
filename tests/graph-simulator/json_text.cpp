#include "json_text.hpp"

namespace graph_simulator {

std::string text_or(const json::object& object, std::string_view name, std::string_view other) {
    const json::value* value = object.if_contains(view(name));
    if (value == nullptr || !value->is_string())
        return std::string(other);
    return str(value->as_string());
}

std::int64_t number_or(const json::object& object, std::string_view name, std::int64_t other) {
    const json::value* value = object.if_contains(view(name));
    if (value == nullptr)
        return other;
    if (value->is_int64())
        return value->as_int64();
    if (value->is_uint64())
        return static_cast<std::int64_t>(value->as_uint64());
    if (value->is_double())
        return static_cast<std::int64_t>(value->as_double());
    return other;
}

double real_or(const json::object& object, std::string_view name, double other) {
    const json::value* value = object.if_contains(view(name));
    if (value == nullptr)
        return other;
    if (value->is_double())
        return value->as_double();
    return static_cast<double>(number_or(object, name, static_cast<std::int64_t>(other)));
}

bool flag_or(const json::object& object, std::string_view name, bool other) {
    const json::value* value = object.if_contains(view(name));
    return value != nullptr && value->is_bool() ? value->as_bool() : other;
}

}  // namespace graph_simulator
