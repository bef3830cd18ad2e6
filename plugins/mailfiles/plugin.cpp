#include <openarchiver/sdk/plugin.hpp>

#include "file_access.hpp"
#include "session.hpp"
#include "settings.hpp"

namespace openarchiver::mailfiles {

namespace {

class MailfilesProvider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return settings_schema(); }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ProviderSession>> {
            OPENARCHIVER_TRY(Settings settings, parse_settings(config_json, host.profile_folder));
            return std::make_unique<Session>(std::move(settings), host);
        });
    }
};

class MailfilesPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "mailfiles", .version = OPENARCHIVER_SDK_VERSION, .title = "Mail files"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    MailfilesProvider provider_;
};

}  // namespace

}  // namespace openarchiver::mailfiles

OPENARCHIVER_PLUGIN(openarchiver::mailfiles::MailfilesPlugin);
