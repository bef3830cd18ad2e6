#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "access/access.hpp"

namespace openarchiver::service {

struct Rebuilt {
    std::unique_ptr<access::ArchiveWriter> writer;
    /// What `rebuild --json` prints.
    std::string document;
};

/// Makes the catalog anew from the archive alone: what the verb `rebuild` does, in the program or
/// in the service that it was handed to. `progress` is told how many segments were read.
sdk::Result<Rebuilt> rebuild(const access::Context& context, access::LostKeys lost_keys,
                             const std::function<void(std::uint64_t segments)>& progress,
                             std::stop_token stop);

}  // namespace openarchiver::service
