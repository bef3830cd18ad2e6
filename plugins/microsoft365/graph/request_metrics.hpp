#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/host.hpp>
#include <string_view>

/// What requests are counted as (docs/cli.md, Metrics). Names are few: routes and statuses, never
/// ids.
namespace openarchiver::microsoft365 {

/// The route of a target: "value", "delta", "folders", …; "other" for what has none.
[[nodiscard]] std::string_view route_of(std::string_view target);

inline constexpr std::string_view kTokenRoute = "token";

void count_answer(sdk::Metrics& metrics, std::string_view route, int status);
/// The request got no answer.
void count_unanswered(sdk::Metrics& metrics, std::string_view route);
/// Bytes of an answer's body.
void count_bytes(sdk::Metrics& metrics, std::string_view route, std::uint64_t bytes);
/// A request waited so long for its turn, by its mailbox's limits or a pause.
void count_wait(sdk::Metrics& metrics, std::chrono::nanoseconds waited);

}  // namespace openarchiver::microsoft365
