#include "evidence/merkle.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace openarchiver;
using evidence::Digest;

namespace {

std::vector<Digest> leaves_of(std::size_t count) {
    std::vector<Digest> leaves;
    for (std::size_t i = 0; i < count; ++i) {
        leaves.push_back(archive::sha256(std::to_string(i)));
    }
    return leaves;
}

/// RFC 9162, section 2.1.1, word for word.
Digest root_by_definition(std::span<const Digest> leaves) {
    if (leaves.empty()) {
        return evidence::empty_root();
    }
    if (leaves.size() == 1) {
        return leaves.front();
    }
    std::size_t k = 1;
    while (k * 2 < leaves.size()) {
        k *= 2;
    }
    return evidence::node_hash(root_by_definition(leaves.first(k)),
                               root_by_definition(leaves.subspan(k)));
}

evidence::Subtree subtree_of(const std::vector<Digest>& leaves) {
    return [&leaves](unsigned height, std::uint64_t index) -> sdk::Result<Digest> {
        const std::size_t width = std::size_t{1} << height;
        REQUIRE((index + 1) * width <= leaves.size());
        return evidence::root_of_perfect(std::span(leaves).subspan(index * width, width));
    };
}

}  // namespace

TEST_CASE("Roots are those of Certificate Transparency's reference data") {
    const std::vector<std::vector<unsigned>> entries{
        {},
        {0x00},
        {0x10},
        {0x20, 0x21},
        {0x30, 0x31},
        {0x40, 0x41, 0x42, 0x43},
        {0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57},
        {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e,
         0x6f}};
    const char* const roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    std::vector<Digest> leaves;
    CHECK(archive::to_hex(*evidence::root(0, subtree_of(leaves))) == roots[0]);
    for (std::size_t size = 1; size <= entries.size(); ++size) {
        std::vector<std::byte> entry;
        for (const unsigned value : entries[size - 1]) {
            entry.push_back(static_cast<std::byte>(value));
        }
        leaves.push_back(evidence::leaf_hash(entry));
        CHECK(archive::to_hex(*evidence::root(size, subtree_of(leaves))) == roots[size]);
    }
}

TEST_CASE("Each leaf of each tree has a path to its root and to no other") {
    const auto leaves = leaves_of(70);
    for (std::size_t size = 1; size <= leaves.size(); ++size) {
        const auto all = std::span(leaves).first(size);
        const Digest root = root_by_definition(all);
        REQUIRE(*evidence::root(size, subtree_of(leaves)) == root);
        for (std::size_t leaf = 0; leaf < size; ++leaf) {
            const auto path = *evidence::inclusion_path(leaf, size, subtree_of(leaves));
            REQUIRE(evidence::root_by_path(leaves[leaf], leaf, size, path) == root);
            REQUIRE(evidence::root_by_path(leaves[leaf], leaf + 1, size, path) != root);
            REQUIRE(evidence::root_by_path(root, leaf, size + 1, path) != root);
            auto longer = path;
            longer.push_back(root);
            REQUIRE_FALSE(evidence::root_by_path(leaves[leaf], leaf, size, longer));
            if (!path.empty()) {
                const auto shorter = std::span(path).first(path.size() - 1);
                REQUIRE_FALSE(evidence::root_by_path(leaves[leaf], leaf, size, shorter));
            }
        }
    }
}
