#include "archive/seal.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>

namespace openarchiver::archive {

namespace {

// These calls fail only where OpenSSL lacks the algorithm or memory; going on unsealed is no
// choice.
void require(bool condition) {
    if (!condition) {
        std::fputs("openarchiver: OpenSSL can't encrypt with AES-256-GCM and HKDF-SHA256\n",
                   stderr);
        std::abort();
    }
}

const unsigned char* octets(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

unsigned char* octets(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

int length_of(std::span<const std::byte> bytes) {
    require(bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
    return static_cast<int>(bytes.size());
}

class KeyDerivation {
public:
    KeyDerivation() {
        EVP_KDF* const algorithm = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
        require(algorithm != nullptr);
        context_ = EVP_KDF_CTX_new(algorithm);
        EVP_KDF_free(algorithm);
        require(context_ != nullptr);
    }

    KeyDerivation(const KeyDerivation&) = delete;
    KeyDerivation& operator=(const KeyDerivation&) = delete;

    ~KeyDerivation() { EVP_KDF_CTX_free(context_); }

    [[nodiscard]] SecretKey derive(const SecretKey& key, std::span<const std::byte> salt,
                                   std::string_view purpose) {
        // The interface wants pointers to non-const, and only reads.
        std::array<char, 7> digest{"SHA256"};
        std::array<OSSL_PARAM, 5> parameters{
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                              const_cast<std::byte*>(key.data()), key.size()),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                              const_cast<std::byte*>(salt.data()), salt.size()),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                              const_cast<char*>(purpose.data()), purpose.size()),
            OSSL_PARAM_construct_end()};
        EVP_KDF_CTX_reset(context_);
        SecretKey derived;
        require(EVP_KDF_derive(context_, octets(derived.data()), derived.size(),
                               parameters.data()) == 1);
        EVP_KDF_CTX_reset(context_);
        return derived;
    }

private:
    EVP_KDF_CTX* context_ = nullptr;
};

}  // namespace

struct Sealer::Contexts {
    EVP_CIPHER* algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
    KeyDerivation derivation;

    Contexts() { require(algorithm != nullptr && cipher != nullptr); }

    Contexts(const Contexts&) = delete;
    Contexts& operator=(const Contexts&) = delete;

    ~Contexts() {
        EVP_CIPHER_CTX_free(cipher);
        EVP_CIPHER_free(algorithm);
    }

    void begin(const SealParameters& parameters, int encrypt) {
        SecretKey key = derivation.derive(parameters.key, parameters.salt, parameters.purpose);
        static_assert(std::tuple_size_v<Nonce> == 12, "the default length of AES-GCM's nonce");
        require(EVP_CipherInit_ex2(cipher, algorithm, octets(key.data()),
                                   octets(parameters.nonce.data()), encrypt, nullptr) == 1);
        wipe(key);
    }

    void authenticate(Pieces pieces) {
        for (const auto piece : pieces) {
            int written = 0;
            require(EVP_CipherUpdate(cipher, nullptr, &written, octets(piece.data()),
                                     length_of(piece)) == 1);
        }
    }

    void transform(std::span<std::byte> text) {
        if (text.empty()) {
            return;  // a null output would mean authenticated data
        }
        int written = 0;
        require(EVP_CipherUpdate(cipher, octets(text.data()), &written, octets(text.data()),
                                 length_of(text)) == 1 &&
                written == length_of(text));
    }

    // Also takes the derived key out of memory.
    void end() { EVP_CIPHER_CTX_reset(cipher); }
};

Sealer::Sealer() : contexts_(std::make_unique<Contexts>()) {}

Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

void Sealer::seal(const SealParameters& parameters, Pieces authenticated, std::span<std::byte> text,
                  std::span<std::byte, kTagSize> tag) {
    contexts_->begin(parameters, 1);
    contexts_->authenticate(authenticated);
    contexts_->transform(text);
    int written = 0;
    std::array<unsigned char, 16> rest{};
    require(EVP_CipherFinal_ex(contexts_->cipher, rest.data(), &written) == 1 && written == 0);
    require(EVP_CIPHER_CTX_ctrl(contexts_->cipher, EVP_CTRL_AEAD_GET_TAG,
                                static_cast<int>(kTagSize), tag.data()) == 1);
    contexts_->end();
}

bool Sealer::open(const SealParameters& parameters, Pieces authenticated, std::span<std::byte> text,
                  std::span<const std::byte, kTagSize> tag) {
    contexts_->begin(parameters, 0);
    contexts_->authenticate(authenticated);
    contexts_->transform(text);
    std::array<std::byte, kTagSize> expected;
    std::copy(tag.begin(), tag.end(), expected.begin());
    require(EVP_CIPHER_CTX_ctrl(contexts_->cipher, EVP_CTRL_AEAD_SET_TAG,
                                static_cast<int>(kTagSize), expected.data()) == 1);
    int written = 0;
    std::array<unsigned char, 16> rest{};
    const bool authentic = EVP_CipherFinal_ex(contexts_->cipher, rest.data(), &written) == 1;
    contexts_->end();
    return authentic;
}

SecretKey derive_key(const SecretKey& key, std::span<const std::byte> salt,
                     std::string_view purpose) {
    KeyDerivation derivation;
    return derivation.derive(key, salt, purpose);
}

void wipe(std::span<std::byte> secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace openarchiver::archive
