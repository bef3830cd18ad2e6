#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <openarchiver/sdk/plugin.hpp>
#include <openarchiver/testkit/conformance.hpp>
#include <openarchiver/testkit/fixture_program.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <string>
#include <vector>

namespace openarchiver::testkit {

/// Loads a plugin library of this SDK; it stays loaded. invalid_config: it is none, or of another
/// epoch or C++ library.
[[nodiscard]] sdk::Result<sdk::Plugin*> load_plugin(const std::filesystem::path& library);

/// How the plugin is configured, where no fixture says so.
struct PluginConfiguration {
    std::string config_json = "{}";
    /// By JSON pointer.
    std::map<std::string, std::string, std::less<>> secrets = {};
    /// Relative paths in the configuration are relative to it; empty: a temporary folder.
    std::filesystem::path profile_folder = {};
};

/// The plugin of a library with all that its suite takes. Made anew for every check.
class PluginUnderTest {
public:
    /// `fixture` is the command of a fixture program, or empty: then the plugin is configured by
    /// `configuration` and nothing changes upstream. What a fixture says of the configuration goes
    /// before `configuration`.
    static sdk::Result<std::unique_ptr<PluginUnderTest>> open(
        sdk::Plugin& plugin, const std::string& fixture,
        const PluginConfiguration& configuration = {});

    /// The suite of the plugin's kind. The checks are valid as long as this object.
    [[nodiscard]] std::vector<ConformanceCheck> checks();

    /// Of a storage backend: whether its store has no object yet. Success for providers.
    sdk::Status require_empty_store();

private:
    PluginUnderTest(sdk::Plugin& plugin, std::unique_ptr<FixtureProgram> fixture,
                    const PluginConfiguration& configuration);

    [[nodiscard]] ProviderFixture provider_fixture();
    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open_store();

    sdk::Plugin& plugin_;
    std::unique_ptr<FixtureProgram> fixture_;
    PluginConfiguration configuration_;
    HostFixture host_;
};

}  // namespace openarchiver::testkit
