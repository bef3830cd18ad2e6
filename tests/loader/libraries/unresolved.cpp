#include "sample.hpp"

extern "C" int openarchiver_test_function_of_no_library();

class Unresolved final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {openarchiver_test_function_of_no_library() == 0 ? "sample" : "other", "1", "Mine"};
    }
};

OPENARCHIVER_PLUGIN(Unresolved);
