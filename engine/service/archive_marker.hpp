#pragma once

#include <stop_token>

#include "access/access.hpp"

namespace openarchiver::service {

/// What the archive that the profile names says of itself; needs no key. not_found: there is none.
sdk::Result<archive::Archive::Marker> read_archive_marker(const access::Context& context,
                                                          std::stop_token stop);

/// Whether anything was ever archived: an archive that is being made has no log yet.
sdk::Result<bool> archive_has_log(const access::Context& context, std::stop_token stop);

}  // namespace openarchiver::service
