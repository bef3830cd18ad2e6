#pragma once

#include <openarchiver/testkit/conformance.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::tests {

/// What sdk::Provider::config_schema() promises. `secrets` are the names of the properties that
/// have to be marked as secret; no other may be.
std::vector<testkit::ConformanceCheck> schema_checks(std::string_view schema,
                                                     const std::set<std::string>& secrets);

}  // namespace openarchiver::tests
