#pragma once

#include <chrono>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <vector>

namespace openarchiver::conformance {

/// How a process ended.
struct Ended {
    int exit_code = 0;
    /// Not 0: it was ended by this signal.
    int signal = 0;
    bool timed_out = false;
    std::string output;
};

/// Runs this program with other arguments, so that what a plugin does to its process ends with it.
/// Standard error is shared. cancelled: `stop` was triggered, and the process is gone.
sdk::Result<Ended> run_self(const std::vector<std::string>& arguments,
                            std::chrono::seconds patience, const std::stop_token& stop);

}  // namespace openarchiver::conformance
