#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string_view>

#include "archive/master_key.hpp"

/// A master key made from a passphrase by scrypt (RFC 7914). The parameters are kept in the
/// archive's keyring, where they are needed before anything can be opened.
namespace openarchiver::archive {

struct Scrypt {
    // 128 MiB and a third of a second for each guess.
    std::uint8_t log_n = 17;
    std::uint8_t r = 8;
    std::uint8_t p = 1;
    std::array<std::byte, 32> salt{};

    /// For a new key: the usual costs and a random salt.
    static Scrypt fresh();
};

/// What is asked of a passphrase for a new key.
inline constexpr std::size_t kMinPassphrase = 12;

/// invalid_config: it is shorter than kMinPassphrase bytes.
[[nodiscard]] sdk::Status check_new_passphrase(std::string_view passphrase);

/// The bytes of the passphrase as they are. unsupported: costs beyond 1 GiB of memory, which no
/// engine writes; invalid_config: an empty passphrase. The caller wipes the result.
[[nodiscard]] sdk::Result<SecretKey> derive_master_key(std::string_view passphrase,
                                                       const Scrypt& scrypt);

}  // namespace openarchiver::archive
