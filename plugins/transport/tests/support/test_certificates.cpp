#include "support/test_certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace openarchiver::http::test {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Key make_key() {
    return {EVP_EC_gen("P-256"), &EVP_PKEY_free};
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    if (extension == nullptr) {
        throw std::runtime_error("no extension");
    }
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

Certificate make_certificate(EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                             const std::string& name, const std::string& alternative, long serial) {
    Certificate certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* signer = issuer == nullptr ? certificate.get() : issuer;
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));
    add_extension(certificate.get(), signer, NID_basic_constraints,
                  issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternative.empty()) {
        add_extension(certificate.get(), signer, NID_subject_alt_name, alternative);
    }
    X509_sign(certificate.get(), issuer_key, EVP_sha256());
    return certificate;
}

struct CloseFile {
    void operator()(FILE* file) const { std::fclose(file); }
};

using File = std::unique_ptr<FILE, CloseFile>;

}  // namespace

TestCertificates::TestCertificates(const std::string& host) {
    std::string name = (std::filesystem::temp_directory_path() / "oa-tls-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("no temporary folder");
    }
    folder_ = name;
    const Key ca_key = make_key();
    const Certificate ca =
        make_certificate(ca_key.get(), nullptr, ca_key.get(), "Test authority", {}, 1);
    const Key key = make_key();
    const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
    const Certificate certificate = make_certificate(
        key.get(), ca.get(), ca_key.get(), "Test server", (address ? "IP:" : "DNS:") + host, 2);
    {
        const File file(std::fopen(ca_file().c_str(), "w"));
        PEM_write_X509(file.get(), ca.get());
    }
    {
        const File file(std::fopen((folder_ / "server.pem").c_str(), "w"));
        PEM_write_X509(file.get(), certificate.get());
    }
    const File file(std::fopen((folder_ / "server.key").c_str(), "w"));
    PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

TestCertificates::~TestCertificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

Poco::Net::Context::Ptr TestCertificates::server_context() const {
    Poco::Net::Context::Params params;
    params.privateKeyFile = (folder_ / "server.key").string();
    params.certificateFile = (folder_ / "server.pem").string();
    params.verificationMode = Poco::Net::Context::VERIFY_NONE;
    return new Poco::Net::Context(Poco::Net::Context::TLS_SERVER_USE, params);
}

}  // namespace openarchiver::http::test
