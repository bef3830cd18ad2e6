#include "sample.hpp"

OPENARCHIVER_PLUGIN(SamplePlugin);
