#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <openarchiver/sdk/bytes.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace openarchiver::testkit {

using Bytes = std::vector<std::byte>;

[[nodiscard]] Bytes bytes_of(std::string_view text);
[[nodiscard]] std::string_view text_of(const Bytes& bytes);

/// Bytes without a pattern that a mistake could hide in; the same for the same seed.
[[nodiscard]] Bytes random_bytes(std::size_t size, std::uint64_t seed);

/// Reads to the end in pieces of `piece` bytes.
[[nodiscard]] sdk::Result<Bytes> read_all(sdk::ByteReader& reader, std::size_t piece = 65536);

/// A source in memory. It can be made to misbehave.
class MemorySource final : public sdk::ByteSource {
public:
    explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)), announced_(bytes_.size()) {}

    explicit MemorySource(std::string_view text) : MemorySource(bytes_of(text)) {}

    /// Fails with `error` where byte `offset` would be read.
    MemorySource& fail_at(std::size_t offset, sdk::Error error);
    /// size() says something else than the truth.
    MemorySource& announce(std::uint64_t size);
    /// At most this many bytes a read.
    MemorySource& piece(std::size_t size);
    /// Called before each read with the offset.
    MemorySource& on_read(std::function<void(std::size_t)> hook);

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;

    [[nodiscard]] std::uint64_t size() const override { return announced_; }

    sdk::Status rewind() override;

private:
    Bytes bytes_;
    std::uint64_t announced_;
    std::size_t offset_ = 0;
    std::size_t piece_ = SIZE_MAX;
    std::size_t fail_offset_ = SIZE_MAX;
    std::optional<sdk::Error> failure_;
    std::function<void(std::size_t)> on_read_;
};

/// Keeps what it is given.
class CollectingSink final : public sdk::ByteSink {
public:
    /// Called after each write with how many bytes are there.
    CollectingSink& on_write(std::function<sdk::Status(std::size_t)> hook);

    sdk::Status write(std::span<const std::byte> bytes) override;

    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

private:
    Bytes bytes_;
    std::function<sdk::Status(std::size_t)> on_write_;
};

}  // namespace openarchiver::testkit
