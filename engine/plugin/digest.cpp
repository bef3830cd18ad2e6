#include "plugin/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <fstream>
#include <memory>
#include <span>

namespace openarchiver::plugin {

namespace {

std::string to_hex(std::span<const unsigned char> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) {
        hex.push_back(kDigits[byte >> 4U]);
        hex.push_back(kDigits[byte & 15U]);
    }
    return hex;
}

sdk::Error crypto_failed(std::string_view what) {
    return {sdk::Errc::internal, "the cryptographic library failed: " + std::string(what)};
}

}  // namespace

sdk::Result<std::string> sha256_of_file(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return sdk::Error{sdk::Errc::permission_denied, "can't open " + file.string()};
    }
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
        return crypto_failed("SHA-256");
    }
    std::array<char, 65536> buffer;
    while (stream) {
        stream.read(buffer.data(), buffer.size());
        EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(stream.gcount()));
    }
    if (stream.bad()) {
        return sdk::Error{sdk::Errc::unavailable, "can't read " + file.string()};
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
        return crypto_failed("SHA-256");
    }
    return to_hex({digest.data(), size});
}

sdk::Result<std::string> hmac_sha256(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) == nullptr) {
        return crypto_failed("HMAC-SHA256");
    }
    return to_hex({digest.data(), size});
}

sdk::Result<std::string> random_hex(std::size_t bytes) {
    std::array<unsigned char, 64> buffer{};
    if (bytes > buffer.size() || RAND_bytes(buffer.data(), static_cast<int>(bytes)) != 1) {
        return crypto_failed("random numbers");
    }
    return to_hex({buffer.data(), bytes});
}

}  // namespace openarchiver::plugin
