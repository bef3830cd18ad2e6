#pragma once

#include <openarchiver/testkit/conformance.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::conformance {

/// What sdk::Provider::config_schema() promises.
std::vector<testkit::ConformanceCheck> schema_checks(std::string_view schema);

/// ... and the properties of these names have to be marked as secret, and no others.
std::vector<testkit::ConformanceCheck> schema_checks(std::string_view schema,
                                                     const std::set<std::string>& secrets);

}  // namespace openarchiver::conformance
