#include "archive/base64_blocks.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace openarchiver::archive {

#if defined(__x86_64__)

// After W. Muła and D. Lemire, "Faster Base64 Encoding and Decoding using AVX2 Instructions"
// (2018), with registers of half the size.

namespace {

constexpr std::size_t kText = 16;
constexpr std::size_t kBytes = 12;

bool have_ssse3() {
    static const bool have = __builtin_cpu_supports("ssse3") != 0;
    return have;
}

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

}  // namespace

std::size_t decode_base64_blocks(std::span<const std::byte> text, std::span<std::byte> target) {
    return have_ssse3() ? decode(text, target) : 0;
}

std::size_t encode_base64_blocks(std::span<const std::byte> bytes, std::span<std::byte> target) {
    return have_ssse3() ? encode(bytes, target) : 0;
}

#else

std::size_t decode_base64_blocks(std::span<const std::byte>, std::span<std::byte>) {
    return 0;
}

std::size_t encode_base64_blocks(std::span<const std::byte>, std::span<std::byte>) {
    return 0;
}

#endif

}  // namespace openarchiver::archive
