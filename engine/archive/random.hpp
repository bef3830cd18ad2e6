#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace openarchiver::archive {

/// Bytes from the cryptographic generator. Without one nothing may be sealed: the program ends.
void fill_random(std::span<std::byte> bytes);

template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> random_bytes() {
    std::array<std::byte, N> bytes;
    fill_random(bytes);
    return bytes;
}

}  // namespace openarchiver::archive
