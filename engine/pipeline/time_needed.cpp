#include "pipeline/time_needed.hpp"

#include <algorithm>
#include <cmath>

namespace openarchiver::pipeline {

Seconds time_needed(double items, Seconds content, const sdk::SessionLimits& limits, double done,
                    Seconds elapsed) {
    if (items <= 0) {
        return Seconds(0);
    }
    const Seconds fetching = items * content / std::max(1U, limits.readers_per_account);
    if (limits.contents_per_window == 0) {
        return fetching;
    }
    // A burst is free; the window that a content falls into has to have begun.
    const double windows =
        std::floor((done + items - 1) / static_cast<double>(limits.contents_per_window));
    return std::max(fetching, windows * Seconds(limits.window) - elapsed);
}

Seconds time_needed(Seconds longest, Seconds sum, double accounts,
                    const sdk::SessionLimits& limits) {
    const double at_a_time = std::min(accounts, static_cast<double>(limits.accounts_in_parallel));
    return std::max(longest, sum / std::max(1.0, at_a_time));
}

}  // namespace openarchiver::pipeline
