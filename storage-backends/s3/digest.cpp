#include "digest.hpp"

#include <openssl/hmac.h>

#include <stdexcept>

namespace openarchiver::s3 {

namespace {

void require(bool done) {
    if (!done) {
        throw std::runtime_error("OpenSSL refuses a digest");
    }
}

}  // namespace

std::string to_hex(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte byte : bytes) {
        text += kDigits[std::to_integer<std::size_t>(byte >> 4U)];
        text += kDigits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

Digest::Digest(Kind kind) : context_(EVP_MD_CTX_new()) {
    require(context_ != nullptr &&
            EVP_DigestInit_ex(context_.get(), kind == Kind::sha256 ? EVP_sha256() : EVP_md5(),
                              nullptr) == 1);
}

void Digest::update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::vector<std::byte> Digest::finish() {
    std::vector<std::byte> value(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(value.data()),
                               &size) == 1);
    value.resize(size);
    return value;
}

std::string sha256_hex(std::string_view text) {
    Digest digest(Digest::Kind::sha256);
    digest.update(std::as_bytes(std::span(text)));
    return to_hex(digest.finish());
}

Mac hmac_sha256(std::span<const std::byte> key, std::string_view text) {
    Mac mac{};
    unsigned size = 0;
    require(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                 reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                 reinterpret_cast<unsigned char*>(mac.data()), &size) != nullptr &&
            size == mac.size());
    return mac;
}

}  // namespace openarchiver::s3
