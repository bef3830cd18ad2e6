#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::subprocess {

/// The source's configuration, checked.
struct Settings {
    /// The program and its arguments.
    std::vector<std::string> command;
    /// What the program gets as its own configuration: a JSON object.
    std::string config_json = "{}";
    /// Names of its secrets, in the order of the configuration.
    std::vector<std::string> secrets;
    /// Address space of each process; 0: no limit.
    std::uint64_t memory_bytes = 0;
    /// How long an answer, or a piece of a content, may take.
    std::chrono::seconds answer_time{60};
    /// Processor time for an answer or a content.
    std::chrono::seconds cpu_time{120};
    std::uint32_t accounts_in_parallel = 1;
    std::uint32_t readers_per_account = 2;

    /// As many processes as calls that the engine makes at a time, and one for a check.
    [[nodiscard]] std::uint32_t most_processes() const {
        return accounts_in_parallel * (readers_per_account + 1) + 1;
    }
};

/// The JSON Schema of the configuration.
std::string_view config_schema();

/// invalid_config.
sdk::Result<Settings> parse_settings(std::string_view json);

/// Where the value of a secret is in the configuration, as `sdk::Secrets` wants it.
std::string secret_pointer(std::size_t index);

}  // namespace openarchiver::subprocess
