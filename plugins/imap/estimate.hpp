#pragma once

#include <openarchiver/sdk/provider.hpp>
#include <stop_token>
#include <vector>

#include "account.hpp"

namespace openarchiver::imap {

/// Looks at some of the accounts, at some messages of the largest folder of each, and reads a few.
/// A message in several folders counts in each. The first error, where no account could be looked
/// at.
sdk::Result<sdk::Estimate> estimate_accounts(const std::vector<Account*>& accounts,
                                             sdk::Clock& clock, const std::stop_token& stop);

}  // namespace openarchiver::imap
