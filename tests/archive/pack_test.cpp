#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "pack_fixture.hpp"

using namespace openarchiver;
using archive::AccountKey;
using archive::Keyring;
using archive::PackInfo;
using archive::PackReader;
using archive::PackWriter;
using test::Packed;

TEST_CASE("Contents of all sizes and of many accounts come back from a pack bit for bit") {
    const bool encrypted = GENERATE(true, false);
    const std::uint32_t seed = GENERATE(1U, 2U, 3U);
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(encrypted);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring, 16U << 20);
    std::mt19937 generator(seed);

    for (int round = 0; round < 2; ++round) {
        std::vector<Packed> added;
        std::vector<std::size_t> sizes{0, 1, 1 << 20, (1 << 20) + 1, 5'000'000, 2 << 20};
        for (int i = 0; i < 60; ++i) {
            sizes.push_back(std::size_t{1} << (generator() % 20));
            sizes.back() += generator() % (sizes.back() + 1);
        }
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            const std::string account = "account " + std::to_string(generator() % 13);
            const auto value = static_cast<std::uint32_t>(i) + seed * 1000;
            auto packed =
                test::add(writer, keyring.account_key("s", account),
                          i % 3 == 0 ? test::noise(sizes[i], value) : test::prose(sizes[i], value));
            REQUIRE(packed);
            added.push_back(*std::move(packed));
            total += sizes[i];
        }
        CHECK(writer.content_bytes() == total);
        const auto pack = writer.finish(store, {});
        REQUIRE(pack);
        CHECK(writer.empty());
        CHECK(writer.content_bytes() == 0);

        const std::string& object = contents.objects.at(archive::pack_key(pack->id));
        CHECK(object.size() == pack->size);
        CHECK(archive::sha256(object) == pack->id);
        CHECK(pack->size < total);
        REQUIRE(reader.verify(*pack, {}));
        std::shuffle(added.begin(), added.end(), generator);
        for (const Packed& content : added) {
            std::string text;
            const auto read = test::read_back(reader, *pack, content, text);
            INFO((read ? "" : read.error().message));
            REQUIRE(read);
            REQUIRE(text == content.bytes);
        }
    }
}

TEST_CASE("A frame never holds contents of two accounts, and small contents share one") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    const AccountKey a = keyring.account_key("s", "a");
    const AccountKey b = keyring.account_key("s", "b");
    const auto a1 = *test::add(writer, a, test::prose(1000, 1));
    const auto b1 = *test::add(writer, b, test::prose(1000, 2));
    const auto a2 = *test::add(writer, a, test::prose(1000, 3));
    const auto large = *test::add(writer, a, test::prose(9 << 20, 4));
    const auto a3 = *test::add(writer, a, test::prose(1000, 5));
    CHECK(a1.placement.frame == a2.placement.frame);
    CHECK(a1.placement.frame == a3.placement.frame);
    CHECK(a2.placement.offset == 1000);
    CHECK(b1.placement.frame != a1.placement.frame);
    CHECK(large.placement.offset == 0);
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    CHECK(pack->frames.size() == 5);
    CHECK(pack->frames[a1.placement.frame].key == a.id);
    CHECK(pack->frames[b1.placement.frame].key == b.id);
    CHECK(pack->frames[a1.placement.frame].raw_size == 3000);
}

TEST_CASE("An encrypted pack shows nothing of its contents") {
    const bool encrypted = GENERATE(true, false);
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(encrypted);
    PackWriter writer(folder.path);
    REQUIRE(test::add(writer, keyring.account_key("s", "a"), "a recognisable text"));
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    const bool shown =
        contents.objects.at(archive::pack_key(pack->id)).find("recognisable") != std::string::npos;
    CHECK(shown != encrypted);
}

TEST_CASE("The same contents under the same key never make the same bytes") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(test::add(writer, keyring.account_key("s", "a"), test::prose(1000, 1)));
        REQUIRE(writer.finish(store, {}));
    }
    CHECK(contents.objects.size() == 3);
}

TEST_CASE("A pack survives a store that fails") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring);
    const AccountKey key = keyring.account_key("s", "a");
    const auto content = *test::add(writer, key, test::prose(100'000, 1));
    int failures = 2;
    const auto fail = [&](std::string_view) -> sdk::Status {
        if (failures-- > 0) {
            return sdk::Error{.code = sdk::Errc::unavailable, .message = "connection lost"};
        }
        return {};
    };
    SECTION("before the object is there") {
        contents.before_put = fail;
    }
    SECTION("after it") {
        contents.after_put = fail;
    }
    CHECK(writer.finish(store, {}).error().code == sdk::Errc::unavailable);
    CHECK_FALSE(writer.empty());
    CHECK(test::add(writer, key, "more").error().code == sdk::Errc::invalid_argument);
    auto pack = writer.finish(store, {});
    if (!pack) {
        pack = writer.finish(store, {});
    }
    REQUIRE(pack);
    CHECK(writer.empty());
    std::string text;
    REQUIRE(test::read_back(reader, *pack, content, text));
    CHECK(text == content.bytes);
}

TEST_CASE("A damaged pack of the same name is not taken for the one to be written") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    REQUIRE(test::add(writer, keyring.account_key("s", "a"), "text"));
    contents.after_put = [&](std::string_view key) -> sdk::Status {
        contents.objects[std::string(key)] = "cut";
        return sdk::Error{.code = sdk::Errc::unavailable, .message = "connection lost"};
    };
    REQUIRE_FALSE(writer.finish(store, {}));
    CHECK(writer.finish(store, {}).error().code == sdk::Errc::corrupt);
}

TEST_CASE("A content that is not as long as it says leaves the pack as it was") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring);
    const AccountKey key = keyring.account_key("s", "a");
    const bool first = GENERATE(true, false);
    const std::size_t size = GENERATE(1000U, 3'000'000U);
    std::vector<Packed> added;
    if (!first) {
        added.push_back(*test::add(writer, key, test::prose(5000, 1)));
    }
    for (const std::int64_t difference : {-1, 1}) {
        test::StringSource source(test::prose(size, 2));
        source.claim(static_cast<std::uint64_t>(static_cast<std::int64_t>(size) + difference));
        REQUIRE_FALSE(writer.add(key, source));
        CHECK(writer.empty() == first);
    }
    added.push_back(*test::add(writer, key, test::prose(7000, 3)));
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    REQUIRE(reader.verify(*pack, {}));
    for (const Packed& content : added) {
        std::string text;
        REQUIRE(test::read_back(reader, *pack, content, text));
        CHECK(text == content.bytes);
    }
}

TEST_CASE("What an older keyring does not hold is not found, and the rest is read") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring);
    const auto kept = *test::add(writer, keyring.account_key("s", "a"), test::prose(1000, 1));
    const auto gone = *test::add(writer, keyring.account_key("s", "b"), test::prose(1000, 2));
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    std::string text;
    REQUIRE(test::read_back(reader, *pack, gone, text));
    REQUIRE(keyring.forget("s", "b"));
    // Also where the decompressed frame was in memory.
    CHECK(test::read_back(reader, *pack, gone, text).error().code == sdk::Errc::not_found);
    REQUIRE(test::read_back(reader, *pack, kept, text));
    CHECK(text == kept.bytes);
    CHECK(reader.verify(*pack, {}));
}

TEST_CASE("A missing pack is not found, by name") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring);
    const auto content = *test::add(writer, keyring.account_key("s", "a"), test::prose(1000, 1));
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    contents.objects.clear();
    std::string text;
    const auto read = test::read_back(reader, *pack, content, text);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == sdk::Errc::not_found);
    CHECK(read.error().message.find(archive::pack_key(pack->id)) != std::string::npos);
    CHECK(reader.verify(*pack, {}).error().code == sdk::Errc::not_found);
}

TEST_CASE("Neighbours are read with one request") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring);
    std::vector<Packed> added;
    for (std::uint32_t i = 0; i < 50; ++i) {
        added.push_back(*test::add(writer, keyring.account_key("s", "a"), test::prose(1000, i)));
    }
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    std::string text;
    for (const Packed& content : added) {
        REQUIRE(test::read_back(reader, *pack, content, text));
    }
    CHECK(contents.gets == 1);
}

TEST_CASE("Many threads read from one reader") {
    const test::TemporaryFolder folder;
    test::StoreContents contents;
    test::MemoryStore store(contents);
    Keyring keyring = Keyring::create(true);
    PackWriter writer(folder.path);
    PackReader reader(store, keyring, 300'000);  // some of the frames
    std::vector<Packed> added;
    for (std::uint32_t i = 0; i < 200; ++i) {
        added.push_back(*test::add(writer, keyring.account_key("s", std::to_string(i % 10)),
                                   test::prose(1000 + i, i)));
    }
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (std::size_t i = 0; i < added.size(); ++i) {
                    const Packed& content = added[(i * (2 * t + 1)) % added.size()];
                    std::string text;
                    if (!test::read_back(reader, *pack, content, text) || text != content.bytes) {
                        ++wrong;
                    }
                }
            });
        }
    }
    CHECK(wrong == 0);
}

namespace {

// Files without any promise of durability: a place outside this process's memory.
class FolderStore final : public sdk::ObjectStore {
public:
    explicit FolderStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override { return {}; }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode,
                    std::stop_token) override {
        std::filesystem::create_directories((folder_ / key).parent_path());
        std::ofstream file(folder_ / key, std::ios::binary);
        std::string buffer(1 << 16, '\0');
        for (;;) {
            OPENARCHIVER_TRY(const std::size_t got,
                             source.read(std::as_writable_bytes(std::span(buffer))));
            if (got == 0) {
                return {};
            }
            file.write(buffer.data(), static_cast<std::streamsize>(got));
        }
    }

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token) override {
        std::ifstream file(folder_ / key, std::ios::binary);
        file.seekg(static_cast<std::streamoff>(range.offset));
        std::string buffer(1 << 16, '\0');
        std::uint64_t left = range.length.value_or(~0ULL);
        while (left > 0) {
            file.read(buffer.data(),
                      static_cast<std::streamsize>(std::min<std::uint64_t>(left, buffer.size())));
            const auto got = static_cast<std::size_t>(file.gcount());
            if (got == 0) {
                break;
            }
            OPENARCHIVER_CHECK(sink.write(std::as_bytes(std::span(buffer).first(got))));
            left -= got;
        }
        return {};
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view, std::stop_token) override {
        return sdk::Error{.code = sdk::Errc::unsupported, .message = ""};
    }

    sdk::Status list(std::string_view, std::string_view, sdk::ObjectListSink&,
                     std::stop_token) override {
        return {};
    }

    sdk::Status remove(std::string_view, std::stop_token) override { return {}; }

    sdk::Result<sdk::Capacity> capacity(std::stop_token) override {
        return sdk::Error{.code = sdk::Errc::unsupported, .message = ""};
    }

private:
    std::filesystem::path folder_;
};

// A long content that is computed as it is read.
class GeneratedSource final : public sdk::ByteSource {
public:
    explicit GeneratedSource(std::uint64_t size) : size_(size) {}

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - position_));
        for (std::size_t i = 0; i < count; ++i) {
            state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
            buffer[i] = static_cast<std::byte>(state_ >> 58U);
        }
        position_ += count;
        return count;
    }

    sdk::Status rewind() override {
        position_ = 0;
        state_ = 1;
        return {};
    }

private:
    std::uint64_t size_;
    std::uint64_t position_ = 0;
    std::uint64_t state_ = 1;
};

class CountingSink final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        count += bytes.size();
        return {};
    }

    std::uint64_t count = 0;
};

std::uint64_t peak_kib() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line)) {
        if (line.starts_with("VmHWM:")) {
            return std::stoull(line.substr(6));
        }
    }
    return 0;
}

}  // namespace

TEST_CASE("A content of 150 MB costs disk and not memory") {
    constexpr std::uint64_t kSize = 150'000'000;
    const test::TemporaryFolder folder;
    FolderStore store(folder.path / "store");
    Keyring keyring = Keyring::create(true);
    PackReader reader(store, keyring, 16U << 20);

    archive::Sha256 digest;
    {
        GeneratedSource source(kSize);
        std::vector<std::byte> buffer(1 << 16);
        for (;;) {
            const std::size_t got = *source.read(buffer);
            if (got == 0) {
                break;
            }
            digest.update(std::span(buffer).first(got));
        }
    }
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts from here
    const std::uint64_t before = peak_kib();
    PackWriter writer(folder.path / "spool");
    GeneratedSource source(kSize);
    const auto placement = writer.add(keyring.account_key("s", "a"), source);
    REQUIRE(placement);
    const auto pack = writer.finish(store, {});
    REQUIRE(pack);
    CHECK(pack->frames.size() == (kSize + PackWriter::kFrameSize - 1) / PackWriter::kFrameSize);
    CountingSink sink;
    REQUIRE(reader.read(*pack, *placement, kSize, digest.finish(), sink, {}));
    CHECK(sink.count == kSize);
    REQUIRE(reader.verify(*pack, {}));
    const std::uint64_t after = peak_kib();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(after - before < 100'000);
#endif
}
