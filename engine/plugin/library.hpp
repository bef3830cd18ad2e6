#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include "plugin/plugin_host.hpp"

namespace openarchiver::plugin {

/// A library whose stamp fits, and the plugin that its factory made. Both stay for ever.
struct OpenedLibrary {
    sdk::Plugin* plugin = nullptr;
    sdk::AbiStamp stamp{};
    FileIdentity identity;
};

/// Checks permissions and stamp before anything of the library is called. `file` is canonical.
[[nodiscard]] std::variant<OpenedLibrary, RefusedPlugin> open_library(
    const std::filesystem::path& file);

}  // namespace openarchiver::plugin
