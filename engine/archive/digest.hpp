#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <string>
#include <string_view>

namespace openarchiver::archive {

/// A SHA-256.
using Digest = std::array<std::byte, 32>;

/// Lower-case hexadecimal, and back.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
[[nodiscard]] sdk::Result<Digest> digest_from_hex(std::string_view hex);

/// SHA-256 of bytes that come in pieces.
class Sha256 {
public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void update(std::span<const std::byte> bytes);
    /// The digest of everything so far; ends the computation.
    [[nodiscard]] Digest finish();

private:
    struct Context;
    std::unique_ptr<Context> context_;
};

[[nodiscard]] Digest sha256(std::span<const std::byte> bytes);
[[nodiscard]] Digest sha256(std::string_view text);

}  // namespace openarchiver::archive
