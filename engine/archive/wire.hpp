#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// The fixed binary layouts of docs/archive-format.md: integers are little-endian.
namespace openarchiver::archive::wire {

template <std::unsigned_integral T>
void put(std::span<std::byte> target, std::size_t at, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        target[at + i] = static_cast<std::byte>((value >> (8 * i)) & 0xFFU);
    }
}

template <std::unsigned_integral T>
[[nodiscard]] T get(std::span<const std::byte> source, std::size_t at) {
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) {
        value = static_cast<T>((sizeof(T) == 1 ? T{0} : static_cast<T>(value << 8U)) |
                               std::to_integer<T>(source[at + i]));
    }
    return value;
}

inline void put_bytes(std::span<std::byte> target, std::size_t at,
                      std::span<const std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(), target.subspan(at, bytes.size()).begin());
}

template <std::size_t N>
[[nodiscard]] std::array<std::byte, N> get_bytes(std::span<const std::byte> source,
                                                 std::size_t at) {
    std::array<std::byte, N> bytes;
    std::copy_n(source.subspan(at, N).begin(), N, bytes.begin());
    return bytes;
}

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte value) { return value == std::byte{0}; });
}

}  // namespace openarchiver::archive::wire
