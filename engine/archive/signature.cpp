#include "archive/signature.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace openarchiver::archive {

namespace {

struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

    void operator()(BIO* bio) const { BIO_free_all(bio); }
};

using Key = std::unique_ptr<EVP_PKEY, Free>;
using Context = std::unique_ptr<EVP_MD_CTX, Free>;
using Bio = std::unique_ptr<BIO, Free>;

// These calls fail only where OpenSSL lacks the algorithm or memory.
void require(bool condition) {
    if (!condition) {
        std::fputs("openarchiver: OpenSSL can't sign with Ed25519\n", stderr);
        std::abort();
    }
}

const unsigned char* octets(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

unsigned char* octets(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}

const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Key private_key(const SecretKey& key) {
    Key opened(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(key.data()), key.size()));
    require(opened != nullptr);
    return opened;
}

/// Null where the bytes are no public key.
Key public_key(const PublicKey& key) {
    return Key(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key.data()), key.size()));
}

}  // namespace

PublicKey public_key_of(const SecretKey& key) {
    const Key opened = private_key(key);
    PublicKey raw;
    std::size_t size = raw.size();
    require(EVP_PKEY_get_raw_public_key(opened.get(), octets(raw.data()), &size) == 1 &&
            size == raw.size());
    return raw;
}

Signature sign(const SecretKey& key, std::string_view text) {
    const Key opened = private_key(key);
    const Context context(EVP_MD_CTX_new());
    Signature signature;
    std::size_t size = signature.size();
    require(context != nullptr &&
            EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, opened.get()) == 1 &&
            EVP_DigestSign(context.get(), octets(signature.data()), &size, octets(text),
                           text.size()) == 1 &&
            size == signature.size());
    return signature;
}

bool is_signed_by(const PublicKey& key, std::string_view text, const Signature& signature) {
    const Key opened = public_key(key);
    const Context context(EVP_MD_CTX_new());
    return opened != nullptr && context != nullptr &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, opened.get()) == 1 &&
           EVP_DigestVerify(context.get(), octets(signature.data()), signature.size(), octets(text),
                            text.size()) == 1;
}

std::string to_pem(const PublicKey& key) {
    const Key opened = public_key(key);
    const Bio bio(BIO_new(BIO_s_mem()));
    require(opened != nullptr && bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), opened.get()));
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

sdk::Result<PublicKey> public_key_from_pem(std::string_view text) {
    const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    const Key opened(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr) : nullptr);
    PublicKey raw;
    std::size_t size = raw.size();
    if (opened == nullptr || EVP_PKEY_get_id(opened.get()) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(opened.get(), octets(raw.data()), &size) != 1) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message =
                              "this is no Ed25519 public key in PEM (\"-----BEGIN PUBLIC "
                              "KEY-----\"), as `key check` prints it"};
    }
    return raw;
}

}  // namespace openarchiver::archive
