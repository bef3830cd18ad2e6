#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <vector>

#include "archive/digest.hpp"

/// The Merkle tree of RFC 9162, section 2.1, over SHA-256.
namespace openarchiver::evidence {

using archive::Digest;

[[nodiscard]] Digest leaf_hash(std::span<const std::byte> entry);
[[nodiscard]] Digest node_hash(const Digest& left, const Digest& right);
/// Of the tree without leaves.
[[nodiscard]] Digest empty_root();

/// The root of 2^n leaves or nodes, n >= 0, side by side.
[[nodiscard]] Digest root_of_perfect(std::span<const Digest> hashes);

/// The root of the 2^height leaves from index * 2^height on, all of which are in the tree.
using Subtree = std::function<sdk::Result<Digest>(unsigned height, std::uint64_t index)>;

/// Of the tree's first `size` leaves.
[[nodiscard]] sdk::Result<Digest> root(std::uint64_t size, const Subtree& subtree);
/// Section 2.1.3.1: from the leaf upwards; leaf < size.
[[nodiscard]] sdk::Result<std::vector<Digest>> inclusion_path(std::uint64_t leaf,
                                                              std::uint64_t size,
                                                              const Subtree& subtree);
/// Section 2.1.3.2: the root that the path leads to; absent where its length does not fit.
[[nodiscard]] std::optional<Digest> root_by_path(const Digest& hash, std::uint64_t leaf,
                                                 std::uint64_t size, std::span<const Digest> path);

}  // namespace openarchiver::evidence
