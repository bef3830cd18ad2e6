#pragma once

#include <stop_token>

#include "access/access.hpp"

namespace openarchiver::service {

/// Whether anything was ever archived: an archive that is being made has no log yet.
sdk::Result<bool> archive_has_log(const access::Context& context, std::stop_token stop);

}  // namespace openarchiver::service
