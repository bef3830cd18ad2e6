#include "sample.hpp"

class Neither final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return nullptr; }
};

OPENARCHIVER_PLUGIN(Neither);
