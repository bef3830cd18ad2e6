#include "assertion.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <stdexcept>

#include "bytes.hpp"
#include "federated.hpp"
#include "json_text.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

/// Seconds. msal-node rounds `nbf` to the nearest second, so half of them lie in the future, and
/// the real service takes them.
constexpr std::int64_t kClockSkew = 5;

X509* as_x509(void* certificate) {
    return static_cast<X509*>(certificate);
}

std::string thumbprint(X509* certificate, const EVP_MD* digest) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned length = 0;
    X509_digest(certificate, digest, bytes.data(), &length);
    return base64url_encode({reinterpret_cast<const char*>(bytes.data()), length});
}

bool verify(X509* certificate, bool pss, std::string_view text, std::string_view signature) {
    EVP_PKEY* key = X509_get0_pubkey(certificate);
    if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return false;
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    EVP_PKEY_CTX* key_context = nullptr;
    if (EVP_DigestVerifyInit(context.get(), &key_context, EVP_sha256(), nullptr, key) != 1) {
        return false;
    }
    if (pss && (EVP_PKEY_CTX_set_rsa_padding(key_context, RSA_PKCS1_PSS_PADDING) != 1 ||
                EVP_PKEY_CTX_set_rsa_pss_saltlen(key_context, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                            text.size()) == 1;
}

bool parse_object(std::string_view encoded, json::object& out) {
    const auto text = base64url_decode(encoded);
    if (!text)
        return false;
    boost::system::error_code error;
    json::value value = json::parse(view(*text), error);
    if (error || !value.is_object())
        return false;
    out = std::move(value.as_object());
    return true;
}

X509* read_certificate(const std::string& certificate_file) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(certificate_file.c_str(), "r"),
                                                     std::fclose);
    X509* certificate =
        file == nullptr ? nullptr : PEM_read_X509(file.get(), nullptr, nullptr, nullptr);
    if (certificate == nullptr) {
        throw std::runtime_error("no certificate in " + certificate_file);
    }
    return certificate;
}

std::int64_t not_after(X509* certificate) {
    std::tm end{};
    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end);
    return timegm(&end);
}

bool in_time(const json::object& claims, std::int64_t now) {
    return number_or(claims, "exp", 0) + kClockSkew > now &&
           number_or(claims, "nbf", 0) - kClockSkew <= now;
}

}  // namespace

AssertionVerifier::AssertionVerifier(const std::string& certificate_file) {
    X509* certificate = read_certificate(certificate_file);
    certificate_ = certificate;
    sha256_thumbprint_ = thumbprint(certificate, EVP_sha256());
    sha1_thumbprint_ = thumbprint(certificate, EVP_sha1());
}

AssertionVerifier::~AssertionVerifier() {
    X509_free(as_x509(certificate_));
}

AssertionProblem AssertionVerifier::check(std::string_view assertion, std::string_view audience,
                                          std::string_view client_id, std::int64_t now) {
    const auto parts = split(assertion, '.');
    json::object header;
    json::object claims;
    if (parts.size() != 3 || !parse_object(parts[0], header) || !parse_object(parts[1], claims)) {
        return {50027, "JWT token is invalid or malformed."};
    }
    const std::string algorithm = text_or(header, "alg", "");
    if (algorithm != "PS256" && algorithm != "RS256") {
        return {50027, "JWT token is invalid: the algorithm '" + algorithm + "' is not allowed."};
    }
    const std::string long_print = text_or(header, "x5t#S256", "");
    const std::string short_print = text_or(header, "x5t", "");
    const bool known =
        long_print.empty() ? short_print == sha1_thumbprint_ : long_print == sha256_thumbprint_;
    if (!known) {
        return {700027,
                "The certificate with identifier used to sign the client assertion is not "
                "registered on application. [Reason - The key was not found., Thumbprint "
                "of key used by client: '" +
                    (long_print.empty() ? short_print : long_print) + "']"};
    }
    if (not_after(as_x509(certificate_)) <= now) {
        return {700027,
                "The certificate with identifier used to sign the client assertion is expired on "
                "application. [Reason - The key used is expired., Thumbprint of key used by "
                "client: '" +
                    (long_print.empty() ? short_print : long_print) + "']"};
    }
    const auto signature = base64url_decode(parts[2]);
    const std::string_view text = assertion.substr(0, parts[0].size() + 1 + parts[1].size());
    if (!signature || !verify(as_x509(certificate_), algorithm == "PS256", text, *signature)) {
        return {700027, "Client assertion failed signature validation."};
    }
    if (text_or(claims, "aud", "") != audience) {
        return {50013, "Assertion failed validation: the audience is not '" +
                           std::string(audience) + "'."};
    }
    if (text_or(claims, "iss", "") != client_id || text_or(claims, "sub", "") != client_id) {
        return {50013, "Assertion failed validation: issuer and subject must be the client id."};
    }
    if (!in_time(claims, now)) {
        return {700024, "Client assertion is not within its valid time range."};
    }
    const std::string unique = text_or(claims, "jti", "");
    if (unique.empty() || !seen_.insert(unique).second) {
        return {50013, "Assertion failed validation: jti is missing or was used before."};
    }
    return {};
}

FederatedCredential& federated_credential() {
    static FederatedCredential credential;
    return credential;
}

AssertionProblem check_federated(const FederatedCredential& credential, std::string_view assertion,
                                 std::int64_t now) {
    const auto parts = split(assertion, '.');
    json::object header;
    json::object claims;
    if (parts.size() != 3 || !parse_object(parts[0], header) || !parse_object(parts[1], claims)) {
        return {50027, "JWT token is invalid or malformed."};
    }
    const auto mismatch = [&](int code, std::string_view name, std::string_view claim) {
        return AssertionProblem{
            code, "No matching federated identity record found for presented assertion " +
                      std::string(name) + " '" + text_or(claims, claim, "") +
                      "'. Please check your federated identity credential Subject, Audience and "
                      "Issuer."};
    };
    if (credential.issuer.empty() || text_or(claims, "iss", "") != credential.issuer)
        return mismatch(700211, "issuer", "iss");
    if (text_or(claims, "sub", "") != credential.subject)
        return mismatch(700213, "subject", "sub");
    if (text_or(claims, "aud", "") != credential.audience)
        return mismatch(700212, "audience", "aud");
    const std::unique_ptr<X509, decltype(&X509_free)> issuer(
        read_certificate(credential.certificate_file), X509_free);
    const auto signature = base64url_decode(parts[2]);
    const std::string_view text = assertion.substr(0, parts[0].size() + 1 + parts[1].size());
    if (text_or(header, "alg", "") != "RS256" || !signature ||
        !verify(issuer.get(), false, text, *signature)) {
        return {700027, "Client assertion failed signature validation."};
    }
    if (!in_time(claims, now))
        return {700024, "Client assertion is not within its valid time range."};
    return {};
}

std::string assertion_issuer(std::string_view assertion) {
    const auto parts = split(assertion, '.');
    json::object claims;
    if (parts.size() != 3 || !parse_object(parts[1], claims))
        return {};
    return text_or(claims, "iss", "");
}

}  // namespace graph_simulator
