#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

struct ProcessLimits {
    std::chrono::seconds time{0};
    std::uint64_t memory = 0;
    std::uint64_t file_size = 0;
};

struct ProcessEnd {
    /// What it wrote to standard output and standard error, cut after 1 MiB.
    std::string output = {};
    /// How it ended, if not well: "it ended with code 1".
    std::string failure = {};
};

/// Finds a program as a shell does, in the folders where the system has them. Empty: it is not
/// there.
[[nodiscard]] std::string find_program(const std::string& name);

/// Runs a program to its end, in a process of its own: without the network, the environment and the
/// files of this one, with limits, and killed with everything that it started when it may not go
/// on. `input` is its file descriptor 3. `object` is asked now and then, and says why it must stop.
/// cancelled; resource_exhausted: it can't be started.
sdk::Result<ProcessEnd> run_process(const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    const FileDescriptor& input, const ProcessLimits& limits,
                                    const std::function<std::string()>& object,
                                    const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
