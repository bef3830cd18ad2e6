#pragma once

#include <cstddef>
#include <span>
#include <string_view>

/// The base64 of RFC 4648 section 4, in its one canonical form, so that decoding and encoding again
/// gives the same characters.
namespace openarchiver::archive {

inline constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes groups of four characters from the front of `text` until one is no full group of three
/// bytes, or `target` has no room for three more. Returns the bytes written: each three stand for
/// four characters. What `target` has behind them means nothing.
[[nodiscard]] std::size_t decode_base64(std::span<const std::byte> text,
                                        std::span<std::byte> target);

/// How many characters of the alphabet `text` begins with.
[[nodiscard]] std::size_t base64_length(std::span<const std::byte> text);

/// Decodes a last group, the one with padding. Returns the bytes written, 1 or 2; 0 where `text`
/// does not begin with such a group, or its unused bits are not zero.
[[nodiscard]] std::size_t decode_base64_end(std::span<const std::byte> text,
                                            std::span<std::byte, 2> target);

[[nodiscard]] constexpr std::size_t base64_size(std::size_t bytes) {
    return (bytes + 2) / 3 * 4;
}

/// Encodes all of `bytes`, padded where they are no multiple of three, into base64_size() of
/// `target`.
void encode_base64(std::span<const std::byte> bytes, std::span<std::byte> target);

}  // namespace openarchiver::archive
