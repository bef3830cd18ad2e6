#pragma once

#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string_view>

namespace openarchiver::exporter {

/// A day ("2026-03-01", its beginning in UTC) or a time of RFC 3339 ("2026-03-01T14:05:09+01:00").
/// invalid_argument names what is expected.
[[nodiscard]] sdk::Result<sdk::Timestamp> parse_time(std::string_view text);

}  // namespace openarchiver::exporter
