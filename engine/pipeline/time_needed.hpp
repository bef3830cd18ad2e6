#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/provider.hpp>
#include <span>

/// How long fetching takes under a service's limits.
namespace openarchiver::pipeline {

using Seconds = std::chrono::duration<double>;

/// For `items` more contents of one account, of which `content` is what one takes: as many at a
/// time as the limits allow, and no more in a window than they allow. `done` were fetched in the
/// last `elapsed`, and count for the window.
[[nodiscard]] Seconds time_needed(double items, Seconds content, const sdk::SessionLimits& limits,
                                  double done = 0, Seconds elapsed = Seconds(0));

/// For several accounts, so many of them at a time: the longest decides, or all of them together.
[[nodiscard]] Seconds time_needed(Seconds longest, Seconds sum, double accounts,
                                  const sdk::SessionLimits& limits);

}  // namespace openarchiver::pipeline
