#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>

#include "archive/archive.hpp"
#include "catalog/catalog_reader.hpp"
#include "evidence/proof.hpp"

namespace openarchiver::service {

/// A proof of a version, or (`version` null) of a disposal, by the newest head that covers its leaf
/// and is timestamped, else by the newest head. It was checked. unavailable: no head covers the
/// leaf yet; corrupt: the log does not tell of it.
[[nodiscard]] sdk::Result<evidence::Proof> prove_leaf(archive::Archive& archive,
                                                      catalog::CatalogReader& catalog,
                                                      const catalog::LeafRecord& leaf,
                                                      const catalog::VersionRecord* version,
                                                      std::stop_token stop);

}  // namespace openarchiver::service
