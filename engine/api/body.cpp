#include "api/body.hpp"

namespace openarchiver::api {

namespace json = boost::json;

sdk::Result<Body> Body::parse(const std::string& text) {
    boost::system::error_code broken;
    json::value value = json::parse(text.empty() ? "{}" : text, broken);
    if (broken || !value.is_object()) {
        return sdk::Error{sdk::Errc::invalid_argument, "the body is not a JSON object"};
    }
    return Body(std::move(value.get_object()));
}

std::string Body::text(std::string_view name) const {
    const auto* value = members_.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::vector<std::string> Body::texts(std::string_view name) const {
    std::vector<std::string> values;
    const auto* list = members_.if_contains(name);
    if (list != nullptr && list->is_array()) {
        for (const json::value& value : list->get_array()) {
            if (value.is_string()) {
                values.emplace_back(value.get_string());
            }
        }
    }
    return values;
}

bool Body::flag(std::string_view name) const {
    const auto* value = members_.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace openarchiver::api
