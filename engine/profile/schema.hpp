#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "profile/profile.hpp"

namespace openarchiver::profile {

/// The text of profile.schema.json, embedded at build time.
[[nodiscard]] std::string_view core_schema() noexcept;

/// The core schema with the configuration of each loaded plugin under an if/then on its id. Values
/// marked `writeOnly` become secret references. For a plugin whose schema can't be used stands
/// `"x-unusable"` with the reason: it matters only to a profile that names the plugin.
[[nodiscard]] boost::json::value merged_schema(const plugin::PluginHost* plugins);

/// What a plugin's schema asks of the object that has its configuration as `config`.
[[nodiscard]] boost::json::object owner_schema(const plugin::LoadedPlugin& loaded,
                                               std::string_view schema);

}  // namespace openarchiver::profile
