#pragma once

#include <boost/json.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace openarchiver::api {

/// The members of a JSON body; what is missing or of another type is empty.
class Body {
public:
    static sdk::Result<Body> parse(const std::string& text);

    [[nodiscard]] std::string text(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;

    [[nodiscard]] boost::json::object& members() { return members_; }

private:
    explicit Body(boost::json::object members) : members_(std::move(members)) {}

    boost::json::object members_;
};

}  // namespace openarchiver::api
