#include "catalog/tree.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "catalog/catalog_reader.hpp"
#include "catalog/catalog_writer.hpp"

using namespace openarchiver;
using namespace openarchiver::catalog;
using evidence::Digest;

namespace {

constexpr const char* kArchive = "0123456789abcdef0123456789abcdef";

class Fixture {
public:
    Fixture() {
        char name[] = "/tmp/openarchiver-tree-XXXXXX";
        folder_ = mkdtemp(name);
        writer_ = *CatalogWriter::open(folder_, kArchive);
    }

    ~Fixture() { std::filesystem::remove_all(folder_); }

    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// A segment with so many leaves.
    void segment(const std::string& writer, std::size_t count) {
        LeavesAdded added;
        for (std::size_t i = 0; i < count; ++i) {
            added.hashes.push_back(archive::sha256(std::to_string(made_++)));
        }
        auto& position = positions_[writer];
        ++position.sequence;
        pending_[writer].insert(pending_[writer].end(), added.hashes.begin(), added.hashes.end());
        const std::vector<EventGroup> groups{{"", "", {{{}, std::move(added)}}}};
        REQUIRE(writer_->apply(writer, position, groups));
    }

    /// Its root.
    Digest head() {
        for (auto& [writer, leaves] : pending_) {  // by id, as the format says
            leaves_.insert(leaves_.end(), leaves.begin(), leaves.end());
            leaves.clear();
        }
        Digest root{};
        REQUIRE(writer_->add_head({positions_.begin(), positions_.end()},
                                  [&](std::uint64_t size, const Digest& of) {
                                      REQUIRE(size == leaves_.size());
                                      root = of;
                                      return note(size, of);
                                  }));
        return root;
    }

    sdk::Result<std::string> note(std::uint64_t size, const Digest& root) {
        return evidence::sign_head({.archive_id = kArchive,
                                    .size = size,
                                    .root = root,
                                    .number = ++heads_,
                                    .time = {},
                                    .previous = {},
                                    .keyring_generation = 1,
                                    .positions = {positions_.begin(), positions_.end()}},
                                   archive::SecretKey{});
    }

    [[nodiscard]] const std::vector<Digest>& leaves() const { return leaves_; }

    [[nodiscard]] std::unique_ptr<CatalogReader> reader() const {
        return *CatalogReader::open(folder_);
    }

    CatalogWriter& writer() { return *writer_; }

    evidence::Positions positions() { return {positions_.begin(), positions_.end()}; }

private:
    std::filesystem::path folder_;
    std::unique_ptr<CatalogWriter> writer_;
    std::map<std::string, archive::LogPosition> positions_;
    std::map<std::string, std::vector<Digest>> pending_;
    std::vector<Digest> leaves_;
    std::size_t made_ = 0;
    std::uint64_t heads_ = 0;
};

Digest root_of(const std::vector<Digest>& leaves) {
    return *evidence::root(leaves.size(), [&](unsigned height, std::uint64_t index) {
        const std::size_t width = std::size_t{1} << height;
        return sdk::Result<Digest>(
            evidence::root_of_perfect(std::span(leaves).subspan(index * width, width)));
    });
}

}  // namespace

TEST_CASE("the catalog's tiles give the roots and paths of the whole tree") {
    Fixture fixture;
    CHECK(fixture.head() == evidence::empty_root());
    // Across the edges of tiles of the first and second level.
    for (const std::size_t count :
         {1U, 254U, 1U, 1U, 255U, 256U, 512U, 3U, 64000U, 1000U, 511U, 1U}) {
        fixture.segment("bbbbbbbbbbbbbbbb", count);
        if (count % 2 == 0) {
            fixture.segment("aaaaaaaaaaaaaaaa", 7);
        }
        const Digest root = fixture.head();
        REQUIRE(root == root_of(fixture.leaves()));
    }
    const auto reader = fixture.reader();
    const auto size = fixture.leaves().size();
    const auto root = root_of(fixture.leaves());
    for (const std::uint64_t leaf : {std::uint64_t{0}, std::uint64_t{255}, std::uint64_t{256},
                                     std::uint64_t{65535}, std::uint64_t{65536}, size - 1}) {
        const auto path = evidence::inclusion_path(
            leaf, size,
            [&](unsigned height, std::uint64_t index) { return reader->subtree(height, index); });
        REQUIRE(path);
        CHECK(evidence::root_by_path(fixture.leaves()[leaf], leaf, size, *path) == root);
    }
}

TEST_CASE("a head that is not sealed leaves the tree as it was") {
    Fixture fixture;
    fixture.segment("aaaaaaaaaaaaaaaa", 300);
    const auto refuse = [](std::uint64_t, const Digest&) -> sdk::Result<std::string> {
        return sdk::Error{sdk::Errc::unavailable, "no store"};
    };
    REQUIRE_FALSE(fixture.writer().add_head(fixture.positions(), refuse));
    CHECK_FALSE(*fixture.writer().newest_head());
    CHECK_FALSE(fixture.reader()->subtree(0, 0));
    const Digest root = fixture.head();
    CHECK(root == root_of(fixture.leaves()));
}

TEST_CASE("a million leaves", "[.bench]") {
    Fixture fixture;
    auto seconds = [start = std::chrono::steady_clock::now()]() mutable {
        const auto now = std::chrono::steady_clock::now();
        const double passed = std::chrono::duration<double>(now - start).count();
        start = now;
        return passed;
    };
    for (int i = 0; i < 1000; ++i) {
        fixture.segment("aaaaaaaaaaaaaaaa", 1000);
    }
    std::printf("applying 1000 segments: %.2f s\n", seconds());
    REQUIRE(fixture.head() != Digest{});
    std::printf("one head over all: %.2f s\n", seconds());
    for (int i = 0; i < 100; ++i) {
        fixture.segment("aaaaaaaaaaaaaaaa", 10);
        REQUIRE(fixture.head() != Digest{});
    }
    std::printf("100 more heads, each over 10 leaves: %.3f s\n", seconds());
    const auto reader = fixture.reader();
    const auto size = fixture.leaves().size();
    for (std::uint64_t i = 0; i < 100; ++i) {
        REQUIRE(evidence::inclusion_path(i * 9973, size, [&](unsigned height, std::uint64_t index) {
            return reader->subtree(height, index);
        }));
    }
    std::printf("100 paths: %.3f s\n", seconds());
}
