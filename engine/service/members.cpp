#include "service/members.hpp"

#include <chrono>

namespace openarchiver::service {

namespace json = boost::json;

std::string Members::text(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::vector<std::string> Members::texts(std::string_view name) const {
    std::vector<std::string> values;
    const auto* list = object_.if_contains(name);
    if (list != nullptr && list->is_array()) {
        for (const json::value& value : list->get_array()) {
            if (value.is_string()) {
                values.emplace_back(value.get_string());
            }
        }
    }
    return values;
}

bool Members::flag(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<sdk::Timestamp> Members::time(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    if (value == nullptr || !value->is_int64()) {
        return std::nullopt;
    }
    return sdk::Timestamp(std::chrono::milliseconds(value->get_int64()));
}

}  // namespace openarchiver::service
