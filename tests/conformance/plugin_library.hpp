#pragma once

#include <openarchiver/sdk/plugin.hpp>
#include <string>

namespace openarchiver::tests {

/// The plugin of a library that this build made, loaded at the first call and never unloaded. Ends
/// the program where that fails: nothing can be tested then.
sdk::Plugin& built_plugin(const std::string& name);

}  // namespace openarchiver::tests
