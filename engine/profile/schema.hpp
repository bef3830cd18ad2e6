#pragma once

#include <boost/json/value.hpp>
#include <string_view>
#include <vector>

#include "profile/profile.hpp"

namespace openarchiver::profile {

/// The text of profile.schema.json, embedded at build time.
[[nodiscard]] std::string_view core_schema() noexcept;

/// The core schema with the configuration of each loaded plugin under an if/then on its id. Values
/// marked `writeOnly` become secret references. A plugin whose schema can't be read adds a problem
/// and is left out.
[[nodiscard]] boost::json::value merged_schema(const plugin::PluginHost* plugins,
                                               std::vector<Problem>& problems);

}  // namespace openarchiver::profile
