#pragma once

#include <boost/json/value.hpp>
#include <openarchiver/sdk/provider.hpp>
#include <string_view>
#include <vector>

#include "service/exit_code.hpp"

/// What a check of a source found, as `source check --json` and the API show it (docs/cli.md).
namespace openarchiver::service {

/// "pass", "fail", "unknown".
[[nodiscard]] std::string_view outcome_name(sdk::CheckOutcome outcome);
/// 3 before 7 before 1, as with a sync.
[[nodiscard]] ExitCode exit_code(const std::vector<sdk::Check>& checks);
[[nodiscard]] boost::json::value check_document(std::string_view source,
                                                const std::vector<sdk::Check>& checks);

}  // namespace openarchiver::service
