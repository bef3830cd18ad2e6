#pragma once

#include <optional>

#include "archive/master_key.hpp"
#include "plugin/secrets.hpp"

namespace openarchiver::access {

/// How rotated secrets are kept beside the catalog: sealed under the archive key, which stays when
/// the master key is rotated; in an archive without encryption by their file's mode alone.
[[nodiscard]] plugin::Sealing secret_sealing(const std::optional<archive::SecretKey>& archive_key);

}  // namespace openarchiver::access
