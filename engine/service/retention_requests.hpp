#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#include "disposal/retention.hpp"

/// Retention as the control socket carries it, and as --json shows it (docs/cli.md).
namespace openarchiver::service {

[[nodiscard]] std::string to_json(const disposal::ApplyRequest& request);
[[nodiscard]] sdk::Result<disposal::ApplyRequest> parse_apply_request(std::string_view json_text);

/// The policies, their approval, the store's locks, and what was disposed of.
[[nodiscard]] sdk::Result<std::string> retention_document(catalog::CatalogReader& catalog,
                                                          const disposal::Policies& policies,
                                                          const sdk::Clock& clock);
/// What is due now, and would be disposed of.
[[nodiscard]] sdk::Result<std::string> simulation_document(catalog::CatalogReader& catalog,
                                                           const disposal::Policies& policies,
                                                           const sdk::Clock& clock,
                                                           std::stop_token stop);
/// What the policies cover, and what of that is due, or was and is `disposed` of.
[[nodiscard]] sdk::Result<std::string> effect_document(catalog::CatalogReader& catalog,
                                                       const disposal::Policies& policies,
                                                       const disposal::RetentionEffect& effect,
                                                       bool disposed);

}  // namespace openarchiver::service
