#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "session.hpp"
#include "settings.hpp"

namespace openarchiver::imap {
namespace {

class ImapProvider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return imap::config_schema(); }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        return sdk::without_exceptions(
            "the imap provider", [&]() -> sdk::Result<std::unique_ptr<sdk::ProviderSession>> {
                OPENARCHIVER_TRY(Settings settings,
                                 parse_settings(config_json, host.profile_folder));
                return std::make_unique<Session>(std::move(settings), host);
            });
    }
};

class ImapPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "imap", .version = OPENARCHIVER_SDK_VERSION, .title = "IMAP"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    ImapProvider provider_;
};

}  // namespace
}  // namespace openarchiver::imap

OPENARCHIVER_PLUGIN(openarchiver::imap::ImapPlugin);
