#include "sample.hpp"

OPENARCHIVER_EXPORT openarchiver::sdk::Plugin* openarchiver_create_plugin() {
    return std::make_unique<SamplePlugin>().release();
}
