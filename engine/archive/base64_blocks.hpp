#pragma once

#include <cstddef>
#include <span>

/// The bulk of base64, sixteen characters at a time, where the processor has SSSE3. Elsewhere these
/// do nothing: whoever calls them goes on where they stopped.
namespace openarchiver::archive {

/// Decodes blocks from the front of `text` until one has other characters or there is no room for
/// more. The bytes written: each three stand for four characters. Writes up to four bytes more into
/// `target`.
[[nodiscard]] std::size_t decode_base64_blocks(std::span<const std::byte> text,
                                               std::span<std::byte> target);

/// Encodes blocks of twelve bytes from the front of `bytes`. How many bytes it took, each three of
/// which are four characters in `target`.
[[nodiscard]] std::size_t encode_base64_blocks(std::span<const std::byte> bytes,
                                               std::span<std::byte> target);

}  // namespace openarchiver::archive
