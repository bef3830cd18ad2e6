#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace openarchiver::api {

/// The status document in Prometheus' text format; names and meanings are in docs/http-api.md.
[[nodiscard]] std::string to_metrics(const boost::json::value& status);

}  // namespace openarchiver::api
