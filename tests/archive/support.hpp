#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "archive/master_key.hpp"

namespace openarchiver::test {

class StringSource final : public sdk::ByteSource {
public:
    explicit StringSource(std::string bytes) : bytes_(std::move(bytes)) {}

    [[nodiscard]] std::uint64_t size() const override { return claimed_.value_or(bytes_.size()); }

    void claim(std::uint64_t size) { claimed_ = size; }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const auto rest = std::as_bytes(std::span(bytes_)).subspan(position_);
        const std::size_t size = std::min({buffer.size(), rest.size(), std::size_t{65'521}});
        std::copy_n(rest.begin(), size, buffer.begin());
        position_ += size;
        return size;
    }

    sdk::Status rewind() override {
        position_ = 0;
        return {};
    }

private:
    std::string bytes_;
    std::size_t position_ = 0;
    std::optional<std::uint64_t> claimed_;
};

class StringSink final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }

    std::string text;
};

class FakeClock final : public sdk::Clock {
public:
    [[nodiscard]] std::chrono::system_clock::time_point now() const override {
        return std::chrono::system_clock::now() + offset;
    }

    [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override {
        return std::chrono::steady_clock::time_point{} + offset;
    }

    std::chrono::seconds offset{0};
};

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "openarchiver-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    ~TemporaryFolder() {
        std::error_code error;
        std::filesystem::remove_all(path, error);
    }

    std::filesystem::path path;
};

/// Bytes that don't compress.
inline std::string noise(std::size_t size, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::string bytes(size, '\0');
    for (char& c : bytes) {
        c = static_cast<char>(generator() & 0xFFU);
    }
    return bytes;
}

/// Bytes that do, somewhat like mail.
inline std::string prose(std::size_t size, std::uint32_t seed) {
    static constexpr std::string_view kSyllables[] = {
        "ar", "chi",  "ve",  "the ", "mes", "sage ", "of ", "re", "port ", "in",  "voice ",
        "to", "day ", "num", "ber ", "is ", "a ",    "de",  "li", "very ", "\r\n"};
    std::mt19937 generator(seed);
    std::uniform_int_distribution<std::size_t> pick(0, std::size(kSyllables) - 1);
    std::string bytes;
    bytes.reserve(size + 8);
    while (bytes.size() < size) {
        bytes += kSyllables[pick(generator)];
    }
    bytes.resize(size);
    return bytes;
}

inline archive::SecretKey key_of(unsigned char value) {
    archive::SecretKey key;
    key.fill(static_cast<std::byte>(value));
    return key;
}

inline sdk::Timestamp at(std::int64_t milliseconds) {
    return sdk::Timestamp(std::chrono::milliseconds(milliseconds));
}

}  // namespace openarchiver::test
