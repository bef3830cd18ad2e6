#include "catalog/tree.hpp"

#include <algorithm>

namespace openarchiver::catalog {

using evidence::Digest;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr unsigned kTileHeight = 8;
constexpr std::uint64_t kTileWidth = std::uint64_t{1} << kTileHeight;

}  // namespace

Blob to_blob(std::span<const Digest> hashes) {
    return Blob(reinterpret_cast<const unsigned char*>(hashes.data()), hashes.size_bytes());
}

std::vector<Digest> from_blob(const Blob& blob) {
    std::vector<Digest> hashes(blob.size() / sizeof(Digest));
    std::copy_n(reinterpret_cast<const std::byte*>(blob.rawContent()),
                hashes.size() * sizeof(Digest), reinterpret_cast<std::byte*>(hashes.data()));
    return hashes;
}

Tree::Tree(Poco::Data::Session& session)
    : find_(session, "SELECT hashes FROM tiles WHERE level=? AND tile=?"),
      put_(session, "INSERT OR REPLACE INTO tiles(level, tile, hashes) VALUES(?,?,?)") {}

std::vector<Digest> Tree::load(unsigned level, std::uint64_t tile) {
    return find_(level, static_cast<Integer>(tile)) ? from_blob(find_.get<0>())
                                                    : std::vector<Digest>();
}

void Tree::append(std::uint64_t size, std::span<const Digest> leaves) {
    append_at(0, size, leaves);
}

void Tree::append_at(unsigned level, std::uint64_t size, std::span<const Digest> hashes) {
    const std::uint64_t parents = size / kTileWidth;
    std::vector<Digest> roots;  // of the tiles that are filled
    while (!hashes.empty()) {
        const std::uint64_t tile = size / kTileWidth;
        auto filled = size % kTileWidth == 0 ? std::vector<Digest>() : load(level, tile);
        // A tile may hold more than the tree: of a transaction that was undone it never does.
        filled.resize(size % kTileWidth);
        const auto taken = std::min<std::size_t>(kTileWidth - filled.size(), hashes.size());
        filled.insert(filled.end(), hashes.begin(), hashes.begin() + static_cast<long>(taken));
        put_(level, static_cast<Integer>(tile), to_blob(filled));
        if (filled.size() == kTileWidth) {
            roots.push_back(evidence::root_of_perfect(filled));
        }
        hashes = hashes.subspan(taken);
        size += taken;
    }
    if (!roots.empty()) {
        append_at(level + 1, parents, roots);
    }
}

Result<Digest> Tree::subtree(unsigned height, std::uint64_t index) {
    const unsigned level = height / kTileHeight;
    const unsigned within = height % kTileHeight;
    const std::uint64_t first = index << within;
    const auto hashes = load(level, first / kTileWidth);
    const std::uint64_t offset = first % kTileWidth;
    const std::uint64_t width = std::uint64_t{1} << within;
    if (offset + width > hashes.size()) {
        return Error{Errc::corrupt,
                     "the tree in the catalog is incomplete: run `openarchiver rebuild`"};
    }
    return evidence::root_of_perfect(std::span(hashes).subspan(offset, width));
}

Result<Digest> Tree::root(std::uint64_t size) {
    return evidence::root(
        size, [this](unsigned height, std::uint64_t index) { return subtree(height, index); });
}

}  // namespace openarchiver::catalog
