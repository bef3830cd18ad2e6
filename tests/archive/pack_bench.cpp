#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <ctime>
#include <random>

#include "pack_fixture.hpp"

using namespace openarchiver;
using archive::Keyring;
using archive::PackWriter;

namespace {

// By processor time: other work on the same cores does not count.
double megabytes_per_second(std::uint64_t bytes, std::clock_t begin) {
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    return static_cast<double>(bytes) / 1e6 / seconds;
}

struct Bench {
    Bench() {
        for (int i = 0; i < 8; ++i) {
            keys.push_back(keyring.account_key("s", std::to_string(i)));
        }
        for (std::uint32_t i = 0; i < 2000; ++i) {
            texts.push_back(test::prose(10'000, i));
        }
    }

    void write() {
        constexpr std::size_t kContents = 40'000;
        PackWriter writer(folder.path);
        std::vector<archive::Placement> placed;
        std::uint64_t stored = 0;
        const auto begin = std::clock();
        for (std::size_t i = 0; i < kContents; ++i) {
            const std::string& text = texts[i % texts.size()];
            test::StringSource source(text);
            const auto placement = writer.add(keys[i % keys.size()], source);
            REQUIRE(placement);
            placed.push_back(*placement);
            total += text.size();
            if (writer.content_bytes() >= 16U << 20U || i + 1 == kContents) {
                auto pack = writer.finish(store, {});
                REQUIRE(pack);
                stored += pack->size;
                packs.emplace_back(*std::move(pack), std::move(placed));
                placed.clear();
            }
        }
        std::printf("write: %.0f MB/s of processor time, %.2f to 1\n",
                    megabytes_per_second(total, begin),
                    static_cast<double>(total) / static_cast<double>(stored));
    }

    test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store{contents};
    Keyring keyring = Keyring::create(true);
    std::vector<archive::AccountKey> keys;
    std::vector<std::string> texts;
    std::vector<std::pair<archive::PackInfo, std::vector<archive::Placement>>> packs;
    std::uint64_t total = 0;
};

}  // namespace

TEST_CASE("Speed of writing contents of 10 KB of text", "[.bench]") {
    Bench().write();
}

TEST_CASE("Speed of reading contents of 10 KB of text", "[.bench]") {
    Bench bench;
    bench.write();
    std::vector<archive::Digest> digests;
    for (const std::string& text : bench.texts) {
        digests.push_back(archive::sha256(text));
    }
    archive::PackReader reader(bench.store, bench.keyring);
    auto begin = std::clock();
    std::size_t index = 0;
    for (const auto& [pack, placed] : bench.packs) {
        for (const archive::Placement& placement : placed) {
            test::StringSink sink;
            const std::size_t text = index++ % bench.texts.size();
            REQUIRE(
                reader.read(pack, placement, bench.texts[text].size(), digests[text], sink, {}));
        }
    }
    std::printf("read: %.0f MB/s of processor time\n", megabytes_per_second(bench.total, begin));
    begin = std::clock();
    for (const auto& [pack, placed] : bench.packs) {
        REQUIRE(reader.verify(pack, {}));
    }
    std::printf("verify: %.0f MB/s of processor time\n", megabytes_per_second(bench.total, begin));
}

TEST_CASE("Time to read one content of 10 KB, none of its neighbours read before", "[.bench]") {
    Bench bench;
    bench.write();
    std::mt19937 random(1);
    std::vector<double> times;
    for (int i = 0; i < 500; ++i) {
        const auto& [pack, placed] = bench.packs[random() % bench.packs.size()];
        const archive::Placement& placement = placed[random() % placed.size()];
        archive::PackReader reader(bench.store, bench.keyring, 0);  // caches no frame
        archive::StoredContent content;
        content.size = 10'000;
        content.pack = pack;
        content.placement = placement;
        test::StringSink sink;
        const auto begin = std::clock();
        (void)reader.read(content, sink, {});  // its SHA-256 is not the point
        times.push_back(1000.0 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
        REQUIRE(sink.text.size() == 10'000);
    }
    std::sort(times.begin(), times.end());
    std::printf("one content: %.2f ms, 99%% below %.2f ms of processor time\n",
                times[times.size() / 2], times[times.size() * 99 / 100]);
}
