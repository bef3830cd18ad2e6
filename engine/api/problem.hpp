#pragma once

#include <boost/json/object.hpp>
#include <openarchiver/sdk/error.hpp>
#include <string_view>

#include "api/http_server.hpp"

namespace openarchiver::api {

/// Problem details (RFC 9457): what is wrong, and what to do.
[[nodiscard]] Response problem(int status, std::string_view detail, boost::json::object more = {});
/// ... of the engine; the code says which status it is.
[[nodiscard]] Response problem(const sdk::Error& error);

}  // namespace openarchiver::api
