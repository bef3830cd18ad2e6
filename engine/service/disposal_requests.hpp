#pragma once

#include <boost/json/object.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "disposal/forget.hpp"
#include "disposal/forget_item.hpp"
#include "disposal/hold.hpp"

/// Holds and forgetting as the control socket carries them, and as --json shows them (docs/cli.md).
/// Who asks is not in a request: whoever takes it knows.
namespace openarchiver::service {

/// The id of a hold that is to be placed is empty.
using HoldRequest = std::variant<catalog::HoldPlaced, catalog::HoldReleased>;

[[nodiscard]] std::string to_json(const HoldRequest& request);
[[nodiscard]] sdk::Result<HoldRequest> parse_hold_request(std::string_view json_text);
[[nodiscard]] std::string to_json(const disposal::ForgetRequest& request);
[[nodiscard]] sdk::Result<disposal::ForgetRequest> parse_forget_request(std::string_view json_text);
[[nodiscard]] std::string to_json(const disposal::ForgetItemRequest& request);
[[nodiscard]] sdk::Result<disposal::ForgetItemRequest> parse_forget_item_request(
    std::string_view json_text);

[[nodiscard]] boost::json::object hold_value(const catalog::HoldRecord& record);
/// {"holds":[...]}, those in force or all.
[[nodiscard]] sdk::Result<std::string> holds_document(catalog::CatalogReader& catalog,
                                                      bool released_too, std::stop_token stop);
[[nodiscard]] std::string document_of(const disposal::ForgetPlan& plan);
[[nodiscard]] std::string document_of(const disposal::Forgotten& forgotten);
[[nodiscard]] std::string document_of(const disposal::ForgetItemPlan& plan, bool forgotten);

}  // namespace openarchiver::service
