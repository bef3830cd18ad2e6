#pragma once

#include <cstddef>
#include <cstdint>
#include <version>

/// The stamp that every plugin carries. The engine compares it before it makes any C++ call into
/// the library. The layout of AbiStamp is frozen for ever; what it says is not.
namespace openarchiver::sdk {

/// Raised with every change of a public header that changes a layout, a virtual table or a
/// contract.
inline constexpr std::uint32_t kAbiEpoch = 3;

inline constexpr std::uint64_t kAbiMagic = 0x4f50415243485631;  // "OPARCHV1"

extern "C" struct AbiStamp {
    std::uint64_t magic;
    std::uint32_t struct_size;
    std::uint32_t abi_epoch;
    std::uint32_t pointer_bits;
    std::uint32_t reserved;
    /// What must be equal for C++ objects to mean the same on both sides.
    char fingerprint[64];
    /// For messages only.
    char sdk_version[16];
    char compiler[64];
};

static_assert(sizeof(AbiStamp) == 168);

#if defined(_GLIBCXX_RELEASE)
#define OPENARCHIVER_ABI_LIBRARY "libstdc++"
#if _GLIBCXX_USE_CXX11_ABI
#define OPENARCHIVER_ABI_STRING ",cxx11"
#else
#define OPENARCHIVER_ABI_STRING ",cxx98"
#endif
#ifdef _GLIBCXX_DEBUG
#define OPENARCHIVER_ABI_DEBUG ",debug"
#else
#define OPENARCHIVER_ABI_DEBUG ""
#endif
#elif defined(_LIBCPP_VERSION)
#define OPENARCHIVER_ABI_LIBRARY "libc++"
#define OPENARCHIVER_ABI_STRING ""
#define OPENARCHIVER_ABI_DEBUG ""
#else
#error "unknown C++ standard library"
#endif

#if defined(__has_feature)
#define OPENARCHIVER_HAS_FEATURE(x) __has_feature(x)
#else
#define OPENARCHIVER_HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || OPENARCHIVER_HAS_FEATURE(address_sanitizer)
#define OPENARCHIVER_ABI_SANITIZER ",asan"
#elif defined(__SANITIZE_THREAD__) || OPENARCHIVER_HAS_FEATURE(thread_sanitizer)
#define OPENARCHIVER_ABI_SANITIZER ",tsan"
#else
#define OPENARCHIVER_ABI_SANITIZER ""
#endif

#define OPENARCHIVER_ABI_FINGERPRINT                                        \
    OPENARCHIVER_ABI_LIBRARY OPENARCHIVER_ABI_STRING OPENARCHIVER_ABI_DEBUG \
        OPENARCHIVER_ABI_SANITIZER

#define OPENARCHIVER_SDK_VERSION "0.1.0"

#if defined(__clang__)
#define OPENARCHIVER_COMPILER "clang " __clang_version__
#else
#define OPENARCHIVER_COMPILER "gcc " __VERSION__
#endif

namespace detail {

template <std::size_t N>
constexpr void copy_text(char (&target)[N], const char* text) {
    std::size_t i = 0;
    for (; i + 1 < N && text[i] != '\0'; ++i) {
        target[i] = text[i];
    }
}

}  // namespace detail

/// The stamp of whoever compiles this header.
constexpr AbiStamp make_abi_stamp() {
    AbiStamp stamp{};
    stamp.magic = kAbiMagic;
    stamp.struct_size = sizeof(AbiStamp);
    stamp.abi_epoch = kAbiEpoch;
    stamp.pointer_bits = sizeof(void*) * 8;
    detail::copy_text(stamp.fingerprint, OPENARCHIVER_ABI_FINGERPRINT);
    detail::copy_text(stamp.sdk_version, OPENARCHIVER_SDK_VERSION);
    detail::copy_text(stamp.compiler, OPENARCHIVER_COMPILER);
    return stamp;
}

}  // namespace openarchiver::sdk
