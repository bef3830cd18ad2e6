#include "archive/base64.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "archive/base64_blocks.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::uint32_t kInvalid = 1U << 24;
constexpr std::byte kPadding{'='};

// What each character means at each of the four places of a group, already shifted there.
using Values = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr Values make_values() {
    Values values{};
    for (std::size_t place = 0; place < 4; ++place) {
        values[place].fill(kInvalid);
        for (std::uint32_t i = 0; i < kBase64Alphabet.size(); ++i) {
            values[place][static_cast<unsigned char>(kBase64Alphabet[i])] = i << (18 - 6 * place);
        }
    }
    return values;
}

// Twelve bits at a time: the two characters that stand for them.
using Pairs = std::array<std::array<char, 2>, 4096>;

constexpr Pairs make_pairs() {
    Pairs pairs{};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        pairs[i] = {kBase64Alphabet[i >> 6U], kBase64Alphabet[i & 63U]};
    }
    return pairs;
}

constexpr Values kValues = make_values();
constexpr Pairs kPairs = make_pairs();

std::uint32_t group(const std::byte* text) {
    return kValues[0][std::to_integer<std::size_t>(text[0])] |
           kValues[1][std::to_integer<std::size_t>(text[1])] |
           kValues[2][std::to_integer<std::size_t>(text[2])] |
           kValues[3][std::to_integer<std::size_t>(text[3])];
}

}  // namespace

std::size_t decode_base64(std::span<const std::byte> text, std::span<std::byte> target) {
    const auto fast = base64_blocks();
    const std::size_t blocks = fast.empty() ? 0 : fast.front().decode(text, target);
    const std::byte* from = text.data() + blocks / 3 * 4;
    std::byte* to = target.data() + blocks;
    for (std::size_t left = std::min(text.size() / 4, target.size() / 3) - blocks / 3; left > 0;
         --left) {
        const std::uint32_t value = group(from);
        if (value >= kInvalid) {
            break;
        }
        to[0] = static_cast<std::byte>(value >> 16U);
        to[1] = static_cast<std::byte>(value >> 8U);
        to[2] = static_cast<std::byte>(value);
        from += 4;
        to += 3;
    }
    return static_cast<std::size_t>(to - target.data());
}

std::size_t base64_length(std::span<const std::byte> text) {
    const auto end = std::ranges::find_if(text, [](std::byte character) {
        return kValues[0][std::to_integer<std::size_t>(character)] >= kInvalid;
    });
    return static_cast<std::size_t>(end - text.begin());
}

std::size_t decode_base64_end(std::span<const std::byte> text, std::span<std::byte, 2> target) {
    if (text.size() < 4 || text[3] != kPadding) {
        return 0;
    }
    const bool one = text[2] == kPadding;
    const std::uint32_t value = kValues[0][std::to_integer<std::size_t>(text[0])] |
                                kValues[1][std::to_integer<std::size_t>(text[1])] |
                                (one ? 0 : kValues[2][std::to_integer<std::size_t>(text[2])]);
    if (value >= kInvalid || (value & (one ? 0xFFFFU : 0xFFU)) != 0) {
        return 0;
    }
    target[0] = static_cast<std::byte>(value >> 16U);
    target[1] = static_cast<std::byte>(value >> 8U);
    return one ? 1 : 2;
}

void encode_base64(std::span<const std::byte> bytes, std::span<std::byte> target) {
    const auto at = [](const std::byte* from, std::size_t i) {
        return std::to_integer<std::uint32_t>(from[i]);
    };
    const auto fast = base64_blocks();
    const std::size_t blocks = fast.empty() ? 0 : fast.front().encode(bytes, target);
    const std::byte* from = bytes.data() + blocks;
    std::byte* to = target.data() + blocks / 3 * 4;
    for (std::size_t left = (bytes.size() - blocks) / 3; left > 0; --left) {
        const std::uint32_t value = (at(from, 0) << 16U) | (at(from, 1) << 8U) | at(from, 2);
        std::memcpy(to, kPairs[value >> 12U].data(), 2);
        std::memcpy(to + 2, kPairs[value & 0xFFFU].data(), 2);
        from += 3;
        to += 4;
    }
    if (const std::size_t rest = bytes.size() % 3; rest > 0) {
        const std::uint32_t value = (at(from, 0) << 16U) | (rest == 2 ? at(from, 1) << 8U : 0);
        std::memcpy(to, kPairs[value >> 12U].data(), 2);
        to[2] = rest == 2 ? std::byte(kPairs[value & 0xFFFU][0]) : kPadding;
        to[3] = kPadding;
    }
}

}  // namespace openarchiver::archive
