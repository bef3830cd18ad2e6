#include <openarchiver/sdk/plugin.hpp>

#include "provider.hpp"

namespace openarchiver::microsoft365 {
namespace {

class Microsoft365Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {
            .id = "microsoft365", .version = OPENARCHIVER_SDK_VERSION, .title = "Microsoft 365"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    Microsoft365Provider provider_;
};

}  // namespace
}  // namespace openarchiver::microsoft365

OPENARCHIVER_PLUGIN(openarchiver::microsoft365::Microsoft365Plugin);
