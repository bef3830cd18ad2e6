#include "archive/base64_blocks.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "archive/base64.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace openarchiver::archive {

namespace {

#if defined(__x86_64__)

// After W. Muła and D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions"
// (2018), with registers of half the size.
namespace ssse3 {

constexpr std::size_t kText = 16;
constexpr std::size_t kBytes = 12;

__attribute__((target("ssse3"))) std::size_t decode(std::span<const std::byte> text,
                                                    std::span<std::byte> target) {
    // By the upper half of a character: which bits its lower half must not have in common.
    const __m128i by_upper = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10,
                                           0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m128i by_lower = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                           0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
    // What turns a character into its value, by its upper half; '/' is one less.
    const __m128i offsets = _mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i slash = _mm_set1_epi8('/');
    const __m128i half = _mm_set1_epi8(0x0F);
    const __m128i order = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);

    std::size_t done = 0;
    std::size_t from = 0;
    while (text.size() - from >= kText && target.size() - done >= kText) {
        const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from));
        const __m128i upper = _mm_and_si128(_mm_srli_epi32(block, 4), half);
        const __m128i lower = _mm_and_si128(block, half);
        const __m128i wrong =
            _mm_and_si128(_mm_shuffle_epi8(by_upper, upper), _mm_shuffle_epi8(by_lower, lower));
        if (_mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) != 0xFFFF) {
            break;
        }
        const __m128i is_slash = _mm_cmpeq_epi8(block, slash);
        const __m128i values =
            _mm_add_epi8(block, _mm_shuffle_epi8(offsets, _mm_add_epi8(is_slash, upper)));
        // Four times six bits become three bytes.
        const __m128i pairs = _mm_maddubs_epi16(values, _mm_set1_epi32(0x01400140));
        const __m128i groups = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00011000));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target.data() + done),
                         _mm_shuffle_epi8(groups, order));
        from += kText;
        done += kBytes;
    }
    return done;
}

__attribute__((target("ssse3"))) std::size_t encode(std::span<const std::byte> bytes,
                                                    std::span<std::byte> target) {
    const __m128i order = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    // What turns a value into its character: of a to z, 0 to 9 (ten times), +, /, A to Z.
    const __m128i offsets =
        _mm_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);

    std::size_t from = 0;
    std::size_t to = 0;
    while (bytes.size() - from >= kText && target.size() - to >= kText) {
        const __m128i block = _mm_shuffle_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + from)), order);
        // Three bytes become four times six bits.
        const __m128i first = _mm_mulhi_epu16(_mm_and_si128(block, _mm_set1_epi32(0x0FC0FC00)),
                                              _mm_set1_epi32(0x04000040));
        const __m128i second = _mm_mullo_epi16(_mm_and_si128(block, _mm_set1_epi32(0x003F03F0)),
                                               _mm_set1_epi32(0x01000010));
        const __m128i values = _mm_or_si128(first, second);
        const __m128i is_upper = _mm_cmpgt_epi8(_mm_set1_epi8(26), values);
        const __m128i kind = _mm_or_si128(_mm_subs_epu8(values, _mm_set1_epi8(51)),
                                          _mm_and_si128(is_upper, _mm_set1_epi8(13)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(target.data() + to),
                         _mm_add_epi8(values, _mm_shuffle_epi8(offsets, kind)));
        from += kBytes;
        to += kText;
    }
    return from;
}

}  // namespace ssse3

// After W. Muła and D. Lemire, "Base64 encoding and decoding at almost the speed of a memory copy"
// (2020). Masks take what is less than a register, so that a line of mail needs two steps.
namespace avx512 {

constexpr std::size_t kText = 64;
constexpr std::size_t kBytes = 48;
// GCC 12 warns of its own header in what has no mask.
constexpr __mmask64 kAll = ~__mmask64{0};

struct Tables {
    std::array<std::int8_t, kText> characters{};
    std::array<std::int8_t, 128> values{};
    std::array<std::int8_t, kText> spread{};  // three bytes to four, with six bits of them each
    std::array<std::int8_t, kText> gather{};  // and back
};

constexpr Tables kTables = [] {
    Tables tables;
    tables.values.fill(-128);
    for (std::size_t i = 0; i < kText; ++i) {
        tables.characters[i] = static_cast<std::int8_t>(kBase64Alphabet[i]);
        tables.values[static_cast<std::size_t>(kBase64Alphabet[i])] = static_cast<std::int8_t>(i);
        constexpr std::array<std::size_t, 4> kFrom = {1, 0, 2, 1};
        tables.spread[i] = static_cast<std::int8_t>(i / 4 * 3 + kFrom[i % 4]);
        tables.gather[i] = static_cast<std::int8_t>(i < kBytes ? i / 3 * 4 + 2 - i % 3 : 0);
    }
    return tables;
}();

constexpr std::uint64_t first_of(std::size_t count) {
    return ~std::uint64_t{0} >> (64 - count);
}

__attribute__((target("avx512vbmi,avx512bw"))) std::size_t decode(std::span<const std::byte> text,
                                                                  std::span<std::byte> target) {
    const __m512i below_64 = _mm512_loadu_si512(kTables.values.data());
    const __m512i from_64 = _mm512_loadu_si512(kTables.values.data() + 64);
    const __m512i gather = _mm512_loadu_si512(kTables.gather.data());
    const __m512i filler = _mm512_set1_epi8('A');
    const std::size_t size = std::min(text.size() / 4, target.size() / 3) * 3;
    std::size_t done = 0;
    while (done < size) {
        const std::size_t bytes = std::min(size - done, kBytes);
        const __m512i block =
            _mm512_mask_loadu_epi8(filler, first_of(bytes / 3 * 4), text.data() + done / 3 * 4);
        const __m512i values = _mm512_permutex2var_epi8(below_64, block, from_64);
        // Both have the highest bit only where a character is none of the alphabet.
        if (_mm512_movepi8_mask(_mm512_or_si512(values, block)) != 0) {
            break;
        }
        // Four times six bits become three bytes.
        const __m512i pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi32(0x01400140));
        const __m512i groups = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000));
        _mm512_mask_storeu_epi8(target.data() + done, first_of(bytes),
                                _mm512_maskz_permutexvar_epi8(kAll, gather, groups));
        done += bytes;
    }
    return done;
}

__attribute__((target("avx512vbmi,avx512bw"))) std::size_t encode(std::span<const std::byte> bytes,
                                                                  std::span<std::byte> target) {
    const __m512i characters = _mm512_loadu_si512(kTables.characters.data());
    const __m512i spread = _mm512_loadu_si512(kTables.spread.data());
    // Where the six bits of each byte begin in the eight bytes that were spread there.
    const __m512i shifts = _mm512_set1_epi64(0x3036242a1016040a);
    const std::size_t size = std::min(bytes.size() / 3, target.size() / 4) * 3;
    std::size_t done = 0;
    while (done < size) {
        const std::size_t take = std::min(size - done, kBytes);
        const __m512i block = _mm512_maskz_loadu_epi8(first_of(take), bytes.data() + done);
        const __m512i values = _mm512_maskz_multishift_epi64_epi8(
            kAll, shifts, _mm512_maskz_permutexvar_epi8(kAll, spread, block));
        // Only the lower six bits of an index count.
        _mm512_mask_storeu_epi8(target.data() + done / 3 * 4, first_of(take / 3 * 4),
                                _mm512_maskz_permutexvar_epi8(kAll, values, characters));
        done += take;
    }
    return done;
}

}  // namespace avx512

std::vector<Base64Blocks> find() {
    std::vector<Base64Blocks> found;
    if (__builtin_cpu_supports("avx512vbmi") != 0 && __builtin_cpu_supports("avx512bw") != 0) {
        found.push_back({"AVX-512", avx512::decode, avx512::encode});
    }
    if (__builtin_cpu_supports("ssse3") != 0) {
        found.push_back({"SSSE3", ssse3::decode, ssse3::encode});
    }
    return found;
}

#else

std::vector<Base64Blocks> find() {
    return {};
}

#endif

}  // namespace

std::span<const Base64Blocks> base64_blocks() {
    static const std::vector<Base64Blocks> kFound = find();
    return kFound;
}

}  // namespace openarchiver::archive
