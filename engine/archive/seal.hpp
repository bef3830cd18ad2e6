#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include "archive/master_key.hpp"

/// How pieces of the archive are encrypted and authenticated: AES-256-GCM under a key of the piece
/// alone, derived by HKDF-SHA256 from a long-lived key and the piece's random salt.
namespace openarchiver::archive {

enum class Cipher : std::uint8_t { none = 0, aes_256_gcm = 1 };

inline constexpr std::size_t kTagSize = 16;

using Salt = std::array<std::byte, 16>;
using Nonce = std::array<std::byte, 12>;

/// What a derived key is for; the text is HKDF's `info` and part of the format.
inline constexpr std::string_view kFramePurpose = "openarchiver frame 0";
inline constexpr std::string_view kBlockPurpose = "openarchiver block 0";
inline constexpr std::string_view kPartPurpose = "openarchiver part 0";
inline constexpr std::string_view kKeyringPurpose = "openarchiver keyring 0";
inline constexpr std::string_view kKeyCheckPurpose = "openarchiver key check 0";

struct SealParameters {
    const SecretKey& key;
    std::string_view purpose;
    const Salt& salt;
    const Nonce& nonce;
};

/// Keeps OpenSSL's contexts from one piece to the next. Used by one thread at a time.
class Sealer {
public:
    Sealer();
    Sealer(Sealer&&) noexcept;
    Sealer& operator=(Sealer&&) noexcept;
    ~Sealer();

    using Pieces = std::initializer_list<std::span<const std::byte>>;

    /// Encrypts `text` in place; `authenticated` goes into the tag but stays as it is.
    void seal(const SealParameters& parameters, Pieces authenticated, std::span<std::byte> text,
              std::span<std::byte, kTagSize> tag);

    /// The reverse. False: `text` (now without meaning), `authenticated` or the key is not the one
    /// that was sealed with.
    [[nodiscard]] bool open(const SealParameters& parameters, Pieces authenticated,
                            std::span<std::byte> text, std::span<const std::byte, kTagSize> tag);

private:
    struct Contexts;
    std::unique_ptr<Contexts> contexts_;
};

/// HKDF-SHA256 with an output of 32 bytes. The caller wipes the result.
[[nodiscard]] SecretKey derive_key(const SecretKey& key, std::span<const std::byte> salt,
                                   std::string_view purpose);

/// Overwrites what must not stay in memory.
void wipe(std::span<std::byte> secret);

}  // namespace openarchiver::archive
