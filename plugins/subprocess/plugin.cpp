#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "session.hpp"
#include "settings.hpp"

namespace openarchiver::subprocess {
namespace {

class SubprocessProvider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override {
        return subprocess::config_schema();
    }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        return sdk::without_exceptions(
            "the subprocess provider", [&]() -> sdk::Result<std::unique_ptr<sdk::ProviderSession>> {
                OPENARCHIVER_TRY(Settings settings, parse_settings(config_json));
                return std::make_unique<Session>(std::move(settings), host);
            });
    }
};

class SubprocessPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "subprocess", .version = OPENARCHIVER_SDK_VERSION, .title = "Program"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    SubprocessProvider provider_;
};

}  // namespace
}  // namespace openarchiver::subprocess

OPENARCHIVER_PLUGIN(openarchiver::subprocess::SubprocessPlugin);
