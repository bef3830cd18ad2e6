#include "mail/digest.hpp"

#include <openssl/evp.h>

#include <array>

namespace openarchiver::microsoft365 {

std::string short_digest(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::string result;
    for (std::size_t i = 0; i < 8; ++i) {
        result += kHex[digest[i] >> 4U];
        result += kHex[digest[i] & 15U];
    }
    return result;
}

}  // namespace openarchiver::microsoft365
