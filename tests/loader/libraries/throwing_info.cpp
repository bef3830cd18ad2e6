#include <stdexcept>

#include "sample.hpp"

class ThrowingInfo final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        throw std::runtime_error("who am I");
    }
};

OPENARCHIVER_PLUGIN(ThrowingInfo);
