#include "archive/passphrase.hpp"

#include <openssl/evp.h>

#include "archive/random.hpp"

namespace openarchiver::archive {

namespace {

// The parameters come from the store: they must not take all memory, or forever.
constexpr std::uint64_t kMaxMemory = std::uint64_t{1} << 30;
constexpr unsigned kMaxPasses = 16;

}  // namespace

Scrypt Scrypt::fresh() {
    Scrypt scrypt;
    fill_random(scrypt.salt);
    return scrypt;
}

sdk::Status check_new_passphrase(std::string_view passphrase) {
    if (passphrase.size() < kMinPassphrase) {
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = "the passphrase is too short: a new one takes at least " +
                                     std::to_string(kMinPassphrase) +
                                     " characters; several random words are a good one"};
    }
    return {};
}

sdk::Result<SecretKey> derive_master_key(std::string_view passphrase, const Scrypt& scrypt) {
    if (passphrase.empty()) {
        return sdk::Error{.code = sdk::Errc::invalid_config, .message = "the passphrase is empty"};
    }
    const std::uint64_t memory =
        scrypt.log_n < 32 ? (std::uint64_t{128} << scrypt.log_n) * scrypt.r : kMaxMemory + 1;
    SecretKey key;
    // OpenSSL's limit is for its own count, which adds some blocks.
    if (scrypt.log_n == 0 || memory > kMaxMemory || scrypt.p > kMaxPasses ||
        EVP_PBE_scrypt(passphrase.data(), passphrase.size(),
                       reinterpret_cast<const unsigned char*>(scrypt.salt.data()),
                       scrypt.salt.size(), std::uint64_t{1} << scrypt.log_n, scrypt.r, scrypt.p,
                       2 * kMaxMemory, reinterpret_cast<unsigned char*>(key.data()),
                       key.size()) != 1) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the keyring asks for scrypt with parameters (log2 N " +
                                     std::to_string(scrypt.log_n) + ", r " +
                                     std::to_string(scrypt.r) + ", p " + std::to_string(scrypt.p) +
                                     ") that this engine does not take: was it replaced?"};
    }
    return key;
}

}  // namespace openarchiver::archive
