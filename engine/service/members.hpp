#pragma once

#include <boost/json.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::service {

/// The members of a request; one that is missing or of another type is empty. Refers to the object.
class Members {
public:
    explicit Members(const boost::json::object& object) : object_(object) {}

    [[nodiscard]] std::string text(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
    [[nodiscard]] bool flag(std::string_view name) const;
    /// Milliseconds since 1970.
    [[nodiscard]] std::optional<sdk::Timestamp> time(std::string_view name) const;

private:
    const boost::json::object& object_;
};

}  // namespace openarchiver::service
