#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "connection.hpp"

namespace openarchiver::imap {

/// `source check`: what it takes to read `account`, one after the other.
sdk::Result<std::vector<sdk::Check>> run_preflight(Shared& shared, const std::string& account,
                                                   const std::stop_token& stop);

}  // namespace openarchiver::imap
