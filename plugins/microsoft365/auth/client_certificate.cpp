#include "auth/client_certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>
#include <ctime>
#include <vector>

#include "auth/small_file.hpp"
#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using Password = std::optional<std::string>;

template <auto Free>
struct Freeing {
    template <typename Object>
    void operator()(Object* object) const {
        Free(object);
    }
};

using Bio = std::unique_ptr<BIO, Freeing<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Pkcs12 = std::unique_ptr<PKCS12, Freeing<PKCS12_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;

/// OpenSSL's queue of errors belongs to the thread: nothing of ours stays in it.
class ErrorQueue {
public:
    ErrorQueue() { ERR_clear_error(); }

    ErrorQueue(const ErrorQueue&) = delete;
    ErrorQueue& operator=(const ErrorQueue&) = delete;

    ~ErrorQueue() { ERR_clear_error(); }

    /// Whether something failed for an algorithm that this OpenSSL does not offer by default.
    [[nodiscard]] static bool mentions_unsupported() {
        while (const unsigned long code = ERR_get_error()) {
            if (ERR_GET_REASON(code) == ERR_R_UNSUPPORTED) {
                return true;
            }
        }
        return false;
    }
};

struct Contents {
    Key key;
    std::vector<Certificate> certificates;
};

class Reader {
public:
    Reader(const std::filesystem::path& file, const Password& password)
        : file_(file), password_(password) {}

    sdk::Result<ClientCertificate> read() const {
        const ErrorQueue errors;
        OPENARCHIVER_TRY(std::string content,
                         read_small_file("certificate.file", file_, kMaxCertificateFile));
        auto contents =
            content.find("-----BEGIN ") != std::string::npos ? pem(content) : pkcs12(content);
        // Not kept longer than needed: it may hold the key in the clear.
        OPENSSL_cleanse(content.data(), content.size());
        if (!contents) {
            return std::move(contents.error());
        }
        return pair(*contents);
    }

private:
    [[nodiscard]] sdk::Error refuse(const std::string& why) const {
        return failure(Errc::invalid_config, "certificate.file " + file_.string() + " " + why);
    }

    struct Asked {
        const Password& password;
        bool asked = false;
    };

    static int give_password(char* buffer, int size, int, void* data) {
        auto& asked = *static_cast<Asked*>(data);
        asked.asked = true;
        if (!asked.password || asked.password->size() > static_cast<std::size_t>(size)) {
            return -1;
        }
        std::memcpy(buffer, asked.password->data(), asked.password->size());
        return static_cast<int>(asked.password->size());
    }

    [[nodiscard]] sdk::Error wrong_password() const {
        return password_ ? refuse("can't be opened: certificate.password is wrong")
                         : refuse("is protected by a password: set certificate.password");
    }

    sdk::Result<Contents> pem(const std::string& text) const {
        Contents contents;
        Asked asked{password_};
        const Bio keys(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        contents.key.reset(PEM_read_bio_PrivateKey(keys.get(), nullptr, &give_password, &asked));
        const bool has_key = text.find("PRIVATE KEY-----") != std::string::npos;
        if (!has_key) {
            return refuse(
                "has no private key: give one PEM file with both the key and the certificate (the "
                "file uploaded to Entra holds the public part alone)");
        }
        if (!contents.key) {
            return asked.asked ? wrong_password() : refuse("holds a private key that is damaged");
        }
        const Bio certificates(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
            contents.certificates.emplace_back(next);
        }
        return contents;
    }

    sdk::Result<Contents> pkcs12(const std::string& bytes) const {
        const auto* position = reinterpret_cast<const unsigned char*>(bytes.data());
        const Pkcs12 store(d2i_PKCS12(nullptr, &position, static_cast<long>(bytes.size())));
        if (!store) {
            return refuse("is neither PEM nor PKCS#12: export key and certificate together");
        }
        const char* password = password_ ? password_->c_str() : nullptr;
        const bool opens = PKCS12_mac_present(store.get()) == 0 ||
                           PKCS12_verify_mac(store.get(), password, -1) == 1 ||
                           (password == nullptr && PKCS12_verify_mac(store.get(), "", 0) == 1);
        if (!opens) {
            return wrong_password();
        }
        EVP_PKEY* key = nullptr;
        X509* certificate = nullptr;
        STACK_OF(X509)* others = nullptr;
        if (PKCS12_parse(store.get(), password, &key, &certificate, &others) != 1) {
            return ErrorQueue::mentions_unsupported()
                       ? refuse(
                             "is encrypted by an algorithm that OpenSSL counts as outdated: "
                             "convert it with `openssl pkcs12 -legacy -in OLD -nodes -out "
                             "NEW.pem` and name the new file")
                       : refuse("is PKCS#12 that is damaged, or protected in another way");
        }
        Contents contents;
        contents.key.reset(key);
        if (certificate != nullptr) {
            contents.certificates.emplace_back(certificate);
        }
        while (sk_X509_num(others) > 0) {
            contents.certificates.emplace_back(sk_X509_shift(others));
        }
        sk_X509_free(others);
        if (!contents.key) {
            return refuse(
                "has no private key: export the certificate together with its private key");
        }
        return contents;
    }

    sdk::Result<ClientCertificate> pair(Contents& contents) const {
        if (EVP_PKEY_get_base_id(contents.key.get()) != EVP_PKEY_RSA) {
            return refuse(
                "has a key that is not RSA, and Entra takes RSA keys only: make an RSA key of 2048 "
                "bits or more and a certificate for it");
        }
        if (contents.certificates.empty()) {
            return refuse("has no certificate: give the key and the certificate in one file");
        }
        for (const Certificate& certificate : contents.certificates) {
            if (X509_check_private_key(certificate.get(), contents.key.get()) == 1) {
                return describe(*certificate, std::move(contents.key));
            }
        }
        return refuse(
            "has a key and a certificate that do not belong together: put the certificate that was "
            "made for this key beside it");
    }

    sdk::Result<ClientCertificate> describe(X509& certificate, Key key) const {
        ClientCertificate result;
        result.key = std::shared_ptr<evp_pkey_st>(key.release(), EVP_PKEY_free);
        const auto digest = [&certificate](const EVP_MD* algorithm) {
            std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
            unsigned size = 0;
            X509_digest(&certificate, algorithm, bytes.data(), &size);
            return std::string(reinterpret_cast<const char*>(bytes.data()), size);
        };
        result.sha1 = digest(EVP_sha1());
        result.sha256 = digest(EVP_sha256());
        const auto time = [](const ASN1_TIME* value) {
            std::tm parts{};
            return ASN1_TIME_to_tm(value, &parts) == 1 ? std::optional(std::chrono::sys_seconds(
                                                             std::chrono::seconds(timegm(&parts))))
                                                       : std::nullopt;
        };
        const auto from = time(X509_get0_notBefore(&certificate));
        const auto to = time(X509_get0_notAfter(&certificate));
        if (!from || !to) {
            return refuse("has a certificate whose validity can't be read");
        }
        result.not_before = *from;
        result.not_after = *to;
        return result;
    }

    const std::filesystem::path& file_;
    const Password& password_;
};

}  // namespace

std::string ClientCertificate::thumbprint() const {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string text;
    for (const char c : sha1) {
        const auto byte = static_cast<unsigned char>(c);
        text += kHex[byte >> 4U];
        text += kHex[byte & 15U];
    }
    return text;
}

sdk::Result<ClientCertificate> read_client_certificate(const std::filesystem::path& file,
                                                       const Password& password) {
    return Reader(file, password).read();
}

sdk::Result<std::string> sign(const ClientCertificate& certificate, SigningAlgorithm algorithm,
                              std::string_view text) {
    const ErrorQueue errors;
    const DigestContext context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* padding = nullptr;
    bool good = context && EVP_DigestSignInit(context.get(), &padding, EVP_sha256(), nullptr,
                                              certificate.key.get()) == 1;
    if (good && algorithm == SigningAlgorithm::ps256) {
        // RFC 7518, 3.5: the salt is as long as the digest, and MGF1 uses the same one.
        good = EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(padding, EVP_sha256()) == 1;
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    good = good && EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1;
    std::string signature(size, '\0');
    good = good && EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                                  &size, bytes, text.size()) == 1;
    if (!good) {
        return failure(Errc::internal, "the client assertion could not be signed by OpenSSL");
    }
    signature.resize(size);
    return signature;
}

}  // namespace openarchiver::microsoft365
