#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

namespace openarchiver::microsoft365 {

/// `base`, doubled with every attempt (from 0) up to `longest`.
std::chrono::milliseconds exponential(std::chrono::milliseconds base, std::uint32_t attempt,
                                      std::chrono::milliseconds longest);

/// `wait` and up to a fifth more, so that many waiters don't come back together.
std::chrono::milliseconds with_jitter(std::chrono::milliseconds wait);

/// False when stopped before the time was over.
bool sleep_unless_stopped(std::chrono::milliseconds duration, const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
