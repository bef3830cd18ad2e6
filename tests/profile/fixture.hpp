#pragma once

#include "loader/support.hpp"
#include "plugin/plugin_host.hpp"
#include "profile/profile.hpp"

/// A folder for profiles, and real plugins to check them against.
class ProfileFolder {
public:
    ProfileFolder() : plugins_(logger_) {
        const std::filesystem::path libraries(PROFILE_TEST_LIBRARIES);
        for (const char* name : {"microsoft365.so", "filesystem.so"}) {
            if (!plugins_.load(libraries / name)) {
                throw std::runtime_error(plugins_.refused().back().reason);
            }
        }
    }

    [[nodiscard]] openarchiver::profile::ProfileResult load(std::string_view text) const {
        return openarchiver::profile::load_profile(folder_.write("profile.json", text), &plugins_);
    }

    [[nodiscard]] const TemporaryFolder& folder() const noexcept { return folder_; }

    [[nodiscard]] std::filesystem::path path() const { return folder_.path(); }

    [[nodiscard]] openarchiver::plugin::PluginHost& plugins() noexcept { return plugins_; }

private:
    TemporaryFolder folder_;
    RecordingLogger logger_;
    openarchiver::plugin::PluginHost plugins_;
};
