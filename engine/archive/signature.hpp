#pragma once

#include <array>
#include <cstddef>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "archive/master_key.hpp"

/// Ed25519 (RFC 8032): signs the heads of an archive.
namespace openarchiver::archive {

using PublicKey = std::array<std::byte, 32>;
using Signature = std::array<std::byte, 64>;

/// `key` is the 32 bytes that RFC 8032 calls the private key.
[[nodiscard]] PublicKey public_key_of(const SecretKey& key);
[[nodiscard]] Signature sign(const SecretKey& key, std::string_view text);
[[nodiscard]] bool is_signed_by(const PublicKey& key, std::string_view text,
                                const Signature& signature);

/// SubjectPublicKeyInfo in PEM (RFC 8410), as OpenSSL reads and writes it; invalid_argument: the
/// text is none, or of another kind of key.
[[nodiscard]] std::string to_pem(const PublicKey& key);
[[nodiscard]] sdk::Result<PublicKey> public_key_from_pem(std::string_view text);

}  // namespace openarchiver::archive
