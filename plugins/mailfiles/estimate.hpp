#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>

namespace openarchiver::mailfiles {

/// sdk::ProviderSession::estimate(): counts the items of some accounts, looks at the sizes of
/// some files in each, and reads a few to see how long that takes.
sdk::Result<sdk::Estimate> estimate_source(sdk::ProviderSession& session,
                                           const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
