#pragma once

#include "http/failure.hpp"
#include "http/origin.hpp"

namespace openarchiver::microsoft365 {

/// The provider speaks HTTP nearly everywhere: requests, origins and failures are its own words.
using namespace http;

}  // namespace openarchiver::microsoft365
