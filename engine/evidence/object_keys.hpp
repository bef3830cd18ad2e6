#pragma once

#include <cstdint>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

/// The objects of an archive's evidence.
namespace openarchiver::evidence {

inline constexpr std::uint64_t kMaxHeadSize = 16U << 20;
inline constexpr std::uint64_t kMaxTimestampSize = 1U << 20;

/// The object that holds a head: "heads/00000000000000000017".
[[nodiscard]] std::string head_key(std::uint64_t number);
/// ... and the one with its timestamp: "heads/00000000000000000017.tsr".
[[nodiscard]] std::string timestamp_key(std::uint64_t number);

/// Whether an object is one of these.
[[nodiscard]] bool is_evidence(std::string_view key);

/// The numbers of the heads that the store holds beyond this one, in order.
[[nodiscard]] sdk::Result<std::vector<std::uint64_t>> list_heads(sdk::ObjectStore& store,
                                                                 std::uint64_t beyond,
                                                                 std::stop_token stop);

/// The numbers of the heads that the store holds a timestamp of, the newest first.
[[nodiscard]] sdk::Result<std::vector<std::uint64_t>> list_timestamps(sdk::ObjectStore& store,
                                                                      std::stop_token stop);

}  // namespace openarchiver::evidence
