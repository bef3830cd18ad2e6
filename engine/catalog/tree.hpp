#pragma once

#include <span>

#include "catalog/database.hpp"
#include "evidence/merkle.hpp"

/// The tree's hashes in the catalog: tiles of 256 (C2SP tlog-tiles), so that a million leaves are
/// appended to, and proven from, a few of them. Only for .cpp files; throws Poco::Exception.
namespace openarchiver::catalog {

class Tree {
public:
    explicit Tree(Poco::Data::Session& session);

    /// `size`: of the tree before.
    void append(std::uint64_t size, std::span<const evidence::Digest> leaves);
    /// corrupt: the tile is not there.
    sdk::Result<evidence::Digest> subtree(unsigned height, std::uint64_t index);
    sdk::Result<evidence::Digest> root(std::uint64_t size);

private:
    std::vector<evidence::Digest> load(unsigned level, std::uint64_t tile);
    void append_at(unsigned level, std::uint64_t size, std::span<const evidence::Digest> hashes);

    Query<std::tuple<Blob>, Integer, Integer> find_;
    Query<std::tuple<>, Integer, Integer, Blob> put_;
};

/// Digests side by side, as the catalog keeps them, and back; what is no whole digest is left out.
[[nodiscard]] Blob to_blob(std::span<const evidence::Digest> hashes);
[[nodiscard]] std::vector<evidence::Digest> from_blob(const Blob& blob);

}  // namespace openarchiver::catalog
