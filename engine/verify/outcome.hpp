#pragma once

#include <boost/json/value.hpp>
#include <filesystem>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>

#include "verify/verify.hpp"

/// How verifications ended, for the status. Kept beside the catalog, and may be lost.
namespace openarchiver::verify {

/// Writes down what a verification found. Damage stays until another one of the same scope, or a
/// full one, finds none. An error counts where it says that the archive is damaged.
[[nodiscard]] sdk::Status record_outcome(const Options& options, const sdk::Result<Report>& outcome,
                                         sdk::Timestamp now);

/// {"last":{"at","scope","damaged","findings"},"damage":null or the same}; null: never verified.
[[nodiscard]] boost::json::value read_outcome(const std::filesystem::path& catalog_folder);

}  // namespace openarchiver::verify
