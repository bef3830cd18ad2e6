#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::s3 {

/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

/// A digest of bytes that come in pieces.
class Digest {
public:
    enum class Kind { sha256, md5 };

    /// Throws std::runtime_error where OpenSSL refuses (MD5 in FIPS mode).
    explicit Digest(Kind kind);

    void update(std::span<const std::byte> bytes);
    /// Ends the computation.
    [[nodiscard]] std::vector<std::byte> finish();

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };

    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

[[nodiscard]] std::string sha256_hex(std::string_view text);

using Mac = std::array<std::byte, 32>;

[[nodiscard]] Mac hmac_sha256(std::span<const std::byte> key, std::string_view text);

}  // namespace openarchiver::s3
