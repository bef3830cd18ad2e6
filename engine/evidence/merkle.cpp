#include "evidence/merkle.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

namespace openarchiver::evidence {

using sdk::Result;

namespace {

constexpr std::byte kLeaf{0};
constexpr std::byte kNode{1};

/// The largest power of two smaller than `size`, which is more than 1.
std::uint64_t left_of(std::uint64_t size) {
    return std::bit_floor(size - 1);
}

/// The root of `size` leaves from `first` on, which is a multiple of a power of two >= size.
Result<Digest> root_of(std::uint64_t first, std::uint64_t size, const Subtree& subtree) {
    if (std::has_single_bit(size)) {
        const auto height = static_cast<unsigned>(std::countr_zero(size));
        return subtree(height, first >> height);
    }
    const std::uint64_t left = left_of(size);
    OPENARCHIVER_TRY(const Digest left_root, root_of(first, left, subtree));
    OPENARCHIVER_TRY(const Digest right_root, root_of(first + left, size - left, subtree));
    return node_hash(left_root, right_root);
}

}  // namespace

Digest leaf_hash(std::span<const std::byte> entry) {
    archive::Sha256 hash;
    hash.update(std::array{kLeaf});
    hash.update(entry);
    return hash.finish();
}

Digest node_hash(const Digest& left, const Digest& right) {
    std::array<std::byte, 65> text;
    text[0] = kNode;
    std::copy(left.begin(), left.end(), text.begin() + 1);
    std::copy(right.begin(), right.end(), text.begin() + 33);
    return archive::sha256(text);
}

Digest empty_root() {
    return archive::sha256(std::string_view());
}

Digest root_of_perfect(std::span<const Digest> hashes) {
    std::vector<Digest> level(hashes.begin(), hashes.end());
    while (level.size() > 1) {
        for (std::size_t i = 0; i < level.size() / 2; ++i) {
            level[i] = node_hash(level[2 * i], level[2 * i + 1]);
        }
        level.resize(level.size() / 2);
    }
    return level.front();
}

Result<Digest> root(std::uint64_t size, const Subtree& subtree) {
    return size == 0 ? Result<Digest>(empty_root()) : root_of(0, size, subtree);
}

Result<std::vector<Digest>> inclusion_path(std::uint64_t leaf, std::uint64_t size,
                                           const Subtree& subtree) {
    std::vector<Digest> path;  // from the root downwards
    std::uint64_t first = 0;
    while (size > 1) {
        const std::uint64_t left = left_of(size);
        if (leaf - first < left) {
            OPENARCHIVER_TRY(path.emplace_back(), root_of(first + left, size - left, subtree));
            size = left;
        } else {
            OPENARCHIVER_TRY(path.emplace_back(), root_of(first, left, subtree));
            first += left;
            size -= left;
        }
    }
    std::ranges::reverse(path);
    return path;
}

std::optional<Digest> root_by_path(const Digest& hash, std::uint64_t leaf, std::uint64_t size,
                                   std::span<const Digest> path) {
    if (leaf >= size) {
        return std::nullopt;
    }
    std::uint64_t node = leaf;
    std::uint64_t last = size - 1;
    Digest root = hash;
    for (const Digest& sibling : path) {
        if (last == 0) {
            return std::nullopt;
        }
        if ((node & 1U) != 0 || node == last) {
            root = node_hash(sibling, root);
            while ((node & 1U) == 0 && node != 0) {
                node >>= 1U;
                last >>= 1U;
            }
        } else {
            root = node_hash(root, sibling);
        }
        node >>= 1U;
        last >>= 1U;
    }
    return last == 0 ? std::optional(root) : std::nullopt;
}

}  // namespace openarchiver::evidence
