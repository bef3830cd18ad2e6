#pragma once

#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace openarchiver::catalog {

/// "2027-01-31T08:00:00.000Z".
[[nodiscard]] std::string iso_time(sdk::Timestamp time);
/// Reads what iso_time() writes.
[[nodiscard]] std::optional<sdk::Timestamp> parse_iso_time(std::string_view text);

}  // namespace openarchiver::catalog
