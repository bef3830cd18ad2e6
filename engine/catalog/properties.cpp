#include "catalog/properties.hpp"

#include <boost/json.hpp>
#include <cmath>

#include "catalog/iso_time.hpp"

namespace openarchiver::catalog {

namespace json = boost::json;

namespace {

struct Value {
    json::value operator()(const std::string& text) const { return json::string(text); }

    json::value operator()(std::int64_t number) const { return number; }

    json::value operator()(double number) const {
        return std::isfinite(number) ? json::value(number) : json::value(nullptr);
    }

    json::value operator()(bool flag) const { return flag; }

    json::value operator()(sdk::Timestamp time) const { return json::string(iso_time(time)); }
};

}  // namespace

std::string properties_text(const std::vector<sdk::Property>& properties) {
    if (properties.empty()) {
        return {};
    }
    json::object object;
    for (const sdk::Property& property : properties) {
        object[property.name] = std::visit(Value{}, property.value);
    }
    return json::serialize(object);
}

std::vector<sdk::Property> properties_from(std::string_view text) {
    std::vector<sdk::Property> properties;
    json::error_code error;
    const json::value document = json::parse({text.data(), text.size()}, error);
    if (error || !document.is_object()) {
        return properties;
    }
    for (const auto& [name, value] : document.get_object()) {
        sdk::Property property{.name = std::string(name)};
        if (value.is_string()) {
            property.value = std::string(value.get_string());
        } else if (value.is_int64()) {
            property.value = value.get_int64();
        } else if (value.is_double()) {
            property.value = value.get_double();
        } else if (value.is_bool()) {
            property.value = value.get_bool();
        }
        properties.push_back(std::move(property));
    }
    return properties;
}

}  // namespace openarchiver::catalog
