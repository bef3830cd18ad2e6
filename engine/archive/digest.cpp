#include "archive/digest.hpp"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>

#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

// SHA-256 fails only where OpenSSL itself is broken: no archive can be written or read then.
void require(bool condition) {
    if (!condition) {
        std::fputs("openarchiver: OpenSSL can't compute SHA-256\n", stderr);
        std::abort();
    }
}

// Fetched once: an implicit fetch costs more than the digest of a small message.
const EVP_MD* algorithm() {
    static const EVP_MD* const md = [] {
        const EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
        require(fetched != nullptr);
        return fetched;
    }();
    return md;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const std::byte value : bytes) {
        hex += kDigits[std::to_integer<std::size_t>(value >> 4U)];
        hex += kDigits[std::to_integer<std::size_t>(value & std::byte{0x0F})];
    }
    return hex;
}

sdk::Result<Digest> digest_from_hex(std::string_view hex) {
    Digest digest{};
    if (hex.size() != digest.size() * 2) {
        return sdk::Error{
            .code = sdk::Errc::invalid_argument,
            .message = "a SHA-256 has 64 hexadecimal digits, not " + std::to_string(hex.size())};
    }
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return sdk::Error{
                .code = sdk::Errc::invalid_argument,
                .message = "a SHA-256 has lower-case hexadecimal digits and nothing else"};
        }
        digest[i] = static_cast<std::byte>(high * 16 + low);
    }
    return digest;
}

struct Sha256::Context {
    EVP_MD_CTX* handle = EVP_MD_CTX_new();

    Context() {
        require(handle != nullptr && EVP_DigestInit_ex2(handle, algorithm(), nullptr) == 1);
    }

    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    ~Context() { EVP_MD_CTX_free(handle); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_->handle, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
    Digest digest;
    require(EVP_DigestFinal_ex(context_->handle, reinterpret_cast<unsigned char*>(digest.data()),
                               nullptr) == 1);
    return digest;
}

Digest sha256(std::span<const std::byte> bytes) {
    Digest digest;
    require(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                       nullptr, algorithm(), nullptr) == 1);
    return digest;
}

Digest sha256(std::string_view text) {
    return sha256(wire::bytes_of(text));
}

}  // namespace openarchiver::archive
