#include <catch2/catch.hpp>
#include <cstdio>
#include <ctime>

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

}  // namespace

TEST_CASE("Speed of writing and reading contents of 10 KB of text", "[.bench]") {
    constexpr std::size_t kContents = 40'000;
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    std::vector<archive::AccountKey> keys;
    for (int i = 0; i < 8; ++i) {
        keys.push_back(keyring.account_key("s", std::to_string(i)));
    }
    std::vector<std::string> texts;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        texts.push_back(test::prose(10'000, i));
    }
    std::vector<std::pair<archive::PackInfo, std::vector<test::Packed>>> packs;
    std::vector<test::Packed> added;
    std::uint64_t total = 0;
    std::uint64_t stored = 0;
    const auto begin = std::clock();
    for (std::size_t i = 0; i < kContents; ++i) {
        const std::string& text = texts[i % texts.size()];
        test::StringSource source(text);
        const auto placement = writer.add(keys[i % keys.size()], source);
        REQUIRE(placement);
        added.push_back({.bytes = {}, .placement = *placement, .digest = {}});
        total += text.size();
        if (writer.content_bytes() >= 16U << 20U || i + 1 == kContents) {
            auto pack = writer.finish(store, {});
            REQUIRE(pack);
            stored += pack->size;
            packs.emplace_back(*std::move(pack), std::move(added));
            added.clear();
        }
    }
    std::printf("write: %.0f MB/s, %.2f to 1\n", megabytes_per_second(total, begin),
                static_cast<double>(total) / static_cast<double>(stored));

    std::vector<archive::Digest> digests;
    for (const std::string& text : texts) {
        digests.push_back(archive::sha256(text));
    }
    archive::PackReader reader(store, keyring, 16);
    const auto begin_read = std::clock();
    std::size_t index = 0;
    for (const auto& [pack, placed] : packs) {
        for (const test::Packed& content : placed) {
            test::StringSink sink;
            const std::size_t text = index++ % texts.size();
            REQUIRE(reader.read(pack, content.placement, texts[text].size(), digests[text], sink,
                                {}));
        }
    }
    std::printf("read: %.0f MB/s\n", megabytes_per_second(total, begin_read));
    const auto begin_verify = std::clock();
    for (const auto& [pack, placed] : packs) {
        REQUIRE(reader.verify(pack, {}));
    }
    std::printf("verify: %.0f MB/s\n", megabytes_per_second(total, begin_verify));
}
