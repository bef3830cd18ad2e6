#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace openarchiver::archive {

enum class Compression : std::uint8_t { none = 0, zstd = 1 };

/// zstd, its context kept from one piece to the next. Used by one thread at a time.
class Compressor {
public:
    Compressor();
    Compressor(Compressor&&) noexcept;
    Compressor& operator=(Compressor&&) noexcept;
    ~Compressor();

    /// What repeats: near by, or also far away, which takes longer to find.
    enum class Reach : std::uint8_t { near, far };

    /// The compressed size; nothing when it does not fit into `target`.
    [[nodiscard]] std::optional<std::size_t> compress(std::span<const std::byte> raw,
                                                      std::span<std::byte> target, Reach reach);

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

class Decompressor {
public:
    Decompressor();
    Decompressor(Decompressor&&) noexcept;
    Decompressor& operator=(Decompressor&&) noexcept;
    ~Decompressor();

    /// False unless `compressed` is one zstd frame of exactly `target.size()` bytes.
    [[nodiscard]] bool decompress(std::span<const std::byte> compressed,
                                  std::span<std::byte> target);

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

}  // namespace openarchiver::archive
