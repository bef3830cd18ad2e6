#include "sample.hpp"

SAMPLE_STAMP;

OPENARCHIVER_EXPORT openarchiver::sdk::Plugin* openarchiver_create_plugin() {
    throw 42;
}
