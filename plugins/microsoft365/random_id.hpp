#pragma once

#include <string>

namespace openarchiver::microsoft365 {

/// A random GUID: the id under which the service's support finds a request.
std::string random_guid();

}  // namespace openarchiver::microsoft365
