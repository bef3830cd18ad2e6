#pragma once

#include <string>
#include <vector>

#include "plugin/plugin_host.hpp"
#include "profile/profile.hpp"

/// What a changed profile means for a running service.
namespace openarchiver::service {

[[nodiscard]] bool same_source(const profile::Source& a, const profile::Source& b);

/// Why `next` can't take the place of `current` without a restart of the service, one sentence
/// each; empty where it can. Looks at the files of the loaded plugins as well.
[[nodiscard]] std::vector<std::string> reasons_to_restart(const profile::Profile& current,
                                                          const profile::Profile& next,
                                                          const plugin::PluginHost& plugins);

}  // namespace openarchiver::service
