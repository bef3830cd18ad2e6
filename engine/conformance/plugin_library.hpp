#pragma once

#include <filesystem>
#include <memory>
#include <openarchiver/testkit/plugin_checks.hpp>
#include <optional>
#include <string>
#include <vector>

#include "plugin/plugin_host.hpp"
#include "profile/profile.hpp"

/// Plugins as their authors have them checked: by themselves, with nothing between them and the
/// suite.
namespace openarchiver::conformance {

/// What is to be checked, and with what.
struct Subject {
    std::filesystem::path library;
    /// A file with the plugin's `config` as a profile would have it; may be empty.
    std::filesystem::path config;
    /// The command of a fixture program (testkit/fixture_program.hpp); may be empty.
    std::string fixture;
};

class PluginLibrary {
public:
    /// Loads the library, checks it as the engine does, and reads its configuration.
    /// invalid_config: it is refused, or the configuration has errors; the message says why.
    static sdk::Result<PluginLibrary> open(const Subject& subject);

    [[nodiscard]] const plugin::LoadedPlugin& plugin() const { return loaded_; }

    /// False: without configuration and fixture only the plugin's schema can be looked at.
    [[nodiscard]] bool configured() const { return configuration_ || !fixture_.empty(); }

    /// All checks, on a fixture that was started for them and lasts as long as this object.
    sdk::Result<std::vector<testkit::ConformanceCheck>> checks();

    /// already_exists: the store that is configured has objects.
    sdk::Status require_empty_store();

private:
    PluginLibrary() = default;
    sdk::Status start();

    plugin::LoadedPlugin loaded_;
    sdk::Plugin* plugin_ = nullptr;
    std::string schema_;
    std::string fixture_;
    std::optional<testkit::PluginConfiguration> configuration_;
    std::unique_ptr<testkit::PluginUnderTest> under_test_;
};

}  // namespace openarchiver::conformance
