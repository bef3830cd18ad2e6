#pragma once

#include <openarchiver/sdk/model.hpp>
#include <string>
#include <string_view>
#include <vector>

/// The properties of items as the log, the catalog and documents have them: one JSON object.
namespace openarchiver::catalog {

/// `{"state":"open","due":"2026-11-26T05:00:00.000Z"}`; empty where there are none. Times become
/// texts, numbers that JSON does not have become null.
[[nodiscard]] std::string properties_text(const std::vector<sdk::Property>& properties);

/// What properties_text() wrote; times stay texts. What is no such object gives none.
[[nodiscard]] std::vector<sdk::Property> properties_from(std::string_view text);

}  // namespace openarchiver::catalog
