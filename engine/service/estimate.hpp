#pragma once

#include <boost/json/value.hpp>
#include <openarchiver/sdk/provider.hpp>

#include "catalog/records.hpp"

namespace openarchiver::service {

/// What a source probably holds, how long its first import takes and what room it needs
/// (docs/cli.md, source check): `seen`, extrapolated to all its accounts. `totals` are those of the
/// archive, whose own ratio of stored to read bytes counts where it has one.
[[nodiscard]] boost::json::value estimate_document(const sdk::Estimate& seen,
                                                   const sdk::SessionLimits& limits,
                                                   const catalog::Totals& totals);

}  // namespace openarchiver::service
