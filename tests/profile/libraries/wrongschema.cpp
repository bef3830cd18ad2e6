#include "plugin.hpp"

namespace {

class WrongSchema final : public openarchiver::sdk::Plugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"wrong", "1", "Wrong"};
    }

    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return &provider_; }

private:
    SchemaProvider provider_{R"({"type": 7})"};
};

}  // namespace

OPENARCHIVER_PLUGIN(WrongSchema);
