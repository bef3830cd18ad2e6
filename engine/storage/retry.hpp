#pragma once

#include <chrono>
#include <openarchiver/sdk/error.hpp>
#include <stop_token>

namespace openarchiver::storage {

/// How often and how far apart a store is asked again.
struct RetryOptions {
    unsigned tries = 5;
    std::chrono::milliseconds first_delay{200};
    std::chrono::milliseconds longest_delay{10'000};
    /// A store that asks for more patience than this is not waited for.
    std::chrono::milliseconds longest_retry_after{120'000};
};

/// Waits before try number `next` (2 or more), with growing, jittered delays or as long as the
/// store asked for. False: the failure is none that passes, or it is time to give up; a stop that
/// ended the waiting makes the error `cancelled`.
[[nodiscard]] bool wait_for_retry(const RetryOptions& options, unsigned next, sdk::Error& error,
                                  const std::stop_token& stop);

/// Repeats `call`, which returns a Result or a Status, while it fails for a reason that passes.
template <typename Call>
auto with_retries(const RetryOptions& options, const std::stop_token& stop, const Call& call) {
    for (unsigned next = 2;; ++next) {
        auto result = call();
        if (result || !wait_for_retry(options, next, result.error(), stop)) {
            return result;
        }
    }
}

}  // namespace openarchiver::storage
