#include "sample.hpp"

class BadId final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"My Plugin", "1", "Mine"};
    }
};

OPENARCHIVER_PLUGIN(BadId);
