// The command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace graph_simulator {

struct Options {
    std::uint16_t http_port = 0;
    std::optional<std::uint16_t> https_port;
    std::string certificate_file;
    std::string key_file;
    std::string write_ca;
    std::string client_certificate;
    std::string tenant = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f";
    std::string client_id = "c0ffee00-1111-4222-8333-444455556666";
    std::string client_secret = "simulated-secret-value";
    std::string mail_directory;
    std::uint64_t users = 3;
    std::uint64_t messages = 20;
    std::uint64_t folders = 2;
    std::uint64_t large_bytes = 0;
    std::uint64_t median_bytes = 0;
    std::int64_t latency_ms = 0;
    std::uint64_t seed = 1;
    std::int64_t page_size_max = 1000;
    bool extras = false;
    bool limits = true;
    bool awkward_ids = false;
    bool die_with_parent = false;
    bool help = false;
};

// Throws std::invalid_argument with a message for the user.
Options parse_options(int argc, char** argv);
std::string usage();

}  // namespace graph_simulator
