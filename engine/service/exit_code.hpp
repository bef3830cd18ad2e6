#pragma once

#include <cstdint>
#include <openarchiver/sdk/error.hpp>
#include <vector>

#include "pipeline/progress.hpp"

namespace openarchiver::service {

/// What the program ends with (docs/cli.md, Exit codes).
enum class ExitCode : std::uint8_t {
    done = 0,
    with_failures = 1,
    usage = 2,
    refused_upstream = 3,
    archive_unavailable = 4,
    damage_found = 5,
    in_use = 6,
    upstream_unreachable = 7,
    interrupted = 130,
};

/// Where an error came from; the same Errc means different things there.
enum class Origin : std::uint8_t {
    profile,   ///< command line, profile, its secrets
    archive,   ///< storage backend, archive, catalog, key
    upstream,  ///< the service that a source reads
};

[[nodiscard]] ExitCode exit_code(Origin origin, sdk::Errc code) noexcept;

/// The one that comes first: of 1, 7 and 3 the highest in this order of severity, before them all
/// others but 0.
[[nodiscard]] ExitCode worse(ExitCode a, ExitCode b) noexcept;

/// Of a sync run over several sources: the highest of 1, 7, 3 that occurred, in this order of
/// severity.
[[nodiscard]] ExitCode exit_code(const std::vector<pipeline::SyncReport>& reports) noexcept;

}  // namespace openarchiver::service
