#pragma once

#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>

#include "access/access.hpp"

/// Sources that were made through the API: the archive's log keeps them, with their secrets sealed,
/// and the catalog has them, so that they come back with a rebuild.
namespace openarchiver::access {

/// What the log keeps of a source. Secrets that are not sealed yet are sealed by `vault`.
sdk::Result<catalog::SourceDefined> keep_source(const profile::Source& source, std::string by,
                                                plugin::SecretVault& vault);

/// Gives the profile the sources that the catalog keeps, in the place of those that it had of them
/// before, and says of each source who paused it. A source of the file with the same id wins; one
/// that can't be read is left out, and is the error.
sdk::Status take_kept_sources(profile::Profile& profile, catalog::CatalogReader& catalog);

/// The vault of an archive that somebody else may be writing: opens secrets that are kept.
sdk::Result<std::unique_ptr<plugin::SecretVault>> open_vault(const Context& context,
                                                             std::stop_token stop);

}  // namespace openarchiver::access
