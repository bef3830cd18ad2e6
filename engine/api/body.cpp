#include "api/body.hpp"

#include "service/members.hpp"

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
    return service::Members(members_).text(name);
}

std::vector<std::string> Body::texts(std::string_view name) const {
    return service::Members(members_).texts(name);
}

bool Body::flag(std::string_view name) const {
    return service::Members(members_).flag(name);
}

}  // namespace openarchiver::api
