#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>

namespace openarchiver::catalog {

/// Gives a closed catalog that was made beside it the catalog's own name, for good: the name, and
/// the folder it is in, survive a power cut.
[[nodiscard]] sdk::Status put_in_place(const std::filesystem::path& fresh,
                                       const std::filesystem::path& file);

}  // namespace openarchiver::catalog
