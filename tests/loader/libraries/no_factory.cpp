#include "sample.hpp"

SAMPLE_STAMP;
