#pragma once

#include <cstddef>
#include <span>
#include <string_view>

/// The bulk of base64, many characters at a time, where the processor has instructions for it.
namespace openarchiver::archive {

struct Base64Blocks {
    std::string_view name;

    /// Decodes from the front of `text` until a block has other characters, or there is no room for
    /// more. The bytes written: each three stand for four characters. Whoever calls it goes on
    /// where it stopped. Writes up to four bytes more into `target`.
    std::size_t (*decode)(std::span<const std::byte> text, std::span<std::byte> target);

    /// Encodes from the front of `bytes`. How many bytes it took, each three of which are four
    /// characters in `target`.
    std::size_t (*encode)(std::span<const std::byte> bytes, std::span<std::byte> target);
};

/// What this processor can do, the fastest first.
[[nodiscard]] std::span<const Base64Blocks> base64_blocks();

}  // namespace openarchiver::archive
