#include "archive/spool.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "support.hpp"

using namespace openarchiver;

namespace {

std::string read_all(archive::Spool& spool) {
    std::string text;
    std::string buffer(1000, '\0');
    for (;;) {
        const auto got = spool.read(std::as_writable_bytes(std::span(buffer)));
        REQUIRE(got);
        if (*got == 0) {
            return text;
        }
        text.append(buffer, 0, *got);
    }
}

}  // namespace

TEST_CASE("A spool gives back what was written, in memory or beyond the threshold") {
    const test::TemporaryFolder folder;
    const std::size_t size = GENERATE(0U, 1U, 4096U, 4097U, 300'000U, 5'000'000U, 17'000'000U);
    const std::string bytes = test::noise(size, 7);
    archive::Spool spool(folder.path / "made at need", 4096);
    for (std::size_t at = 0; at < size; at += 1234) {
        REQUIRE(spool.write(
            std::as_bytes(std::span(bytes)).subspan(at, std::min<std::size_t>(1234, size - at))));
    }
    CHECK(spool.size() == size);
    CHECK(read_all(spool) == bytes);
    REQUIRE(spool.rewind());
    CHECK(read_all(spool) == bytes);

    archive::Spool moved = std::move(spool);
    REQUIRE(moved.rewind());
    CHECK(read_all(moved) == bytes);
    if (size > 16'800'000) {
        CHECK(moved.memory() == 0);
        CHECK(moved.in_memory().empty());
        CHECK(std::filesystem::is_empty(folder.path / "made at need"));
    } else {
        CHECK(moved.in_memory().size() == size);
        CHECK_FALSE(std::filesystem::exists(folder.path / "made at need"));
    }
}

TEST_CASE("Spools together take a bounded amount of memory beyond their thresholds") {
    const test::TemporaryFolder folder;
    const std::string bytes = test::noise(3'000'000, 7);
    std::vector<archive::Spool> spools;
    const auto fill = [&] {
        std::uint64_t memory = 0;
        for (int i = 0; i < 20; ++i) {
            spools.emplace_back(folder.path, 100'000);
            REQUIRE(spools.back().write(std::as_bytes(std::span(bytes))));
            memory += spools.back().memory();
        }
        return memory;
    };
    const std::uint64_t memory = fill();
    CHECK(memory > 30'000'000);
    CHECK(memory < (48U << 20) + 20 * 100'000);
    for (auto& spool : spools) {
        CHECK(read_all(spool) == bytes);
    }
    spools.clear();  // gives it back
    CHECK(fill() == memory);
}

TEST_CASE("What a spool expects need not come, and more may") {
    const test::TemporaryFolder folder;
    const std::string bytes = test::noise(50'000, 7);
    for (const std::uint64_t expected : {0U, 40'000U, 60'000U, 100'000'000U}) {
        archive::Spool spool(folder.path, 100'000);
        spool.expect(expected);
        REQUIRE(spool.write(std::as_bytes(std::span(bytes))));
        CHECK(read_all(spool) == bytes);
        CHECK(spool.memory() <= 100'000);
    }
}

TEST_CASE("A spool without a usable folder says which one") {
    archive::Spool spool("/proc/no-such-folder", 10);
    const std::string bytes = test::noise(17'000'000, 1);
    const auto written = spool.write(std::as_bytes(std::span(bytes)));
    REQUIRE_FALSE(written);
    CHECK(written.error().message.find("/proc/no-such-folder") != std::string::npos);
    CHECK(spool.size() == 0);
}
