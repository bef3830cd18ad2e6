#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "plugin/plugin_host.hpp"

namespace openarchiver::plugin {

/// A library whose stamp fits, and the plugin that its factory made. Both stay for ever.
struct OpenedLibrary {
    sdk::Plugin* plugin = nullptr;
    sdk::AbiStamp stamp{};
    FileIdentity identity;
};

/// Checks permissions, hash and stamp before the system's loader sees the library, which runs code
/// of it. `file` is canonical; `allowed` are the SHA-256 that may be loaded, null: any.
[[nodiscard]] std::variant<OpenedLibrary, RefusedPlugin> open_library(
    const std::filesystem::path& file, const std::vector<std::string>* allowed = nullptr);

}  // namespace openarchiver::plugin
