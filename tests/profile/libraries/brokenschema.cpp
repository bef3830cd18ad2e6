#include "plugin.hpp"

namespace {

class BrokenSchema final : public openarchiver::sdk::Plugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"broken", "1", "Broken"};
    }

    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return &provider_; }

private:
    SchemaProvider provider_{"{ not JSON"};
};

}  // namespace

OPENARCHIVER_PLUGIN(BrokenSchema);
