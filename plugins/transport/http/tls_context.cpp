#include "http/tls_context.hpp"

#include <Poco/Crypto/OpenSSLInitializer.h>
#include <Poco/Exception.h>
#include <Poco/Net/IPAddress.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "http/failure.hpp"

namespace openarchiver::http {

namespace {

thread_local long verification_problem = X509_V_OK;

/// In place of Poco's callback, which asks handlers registered for the whole process.
int remember_problem(int ok, X509_STORE_CTX* store) {
    if (ok == 0) {
        verification_problem = X509_STORE_CTX_get_error(store);
    }
    return ok;
}

/// Poco counts the users of OpenSSL and tears down parts of it after the last: with this one the
/// count never reaches zero while others in the process still use OpenSSL.
void keep_openssl() {
    static const auto* const kHold = new Poco::Crypto::OpenSSLInitializer();
    (void)kHold;
}

bool bind_to_host(SSL_CTX* context, const std::string& host) {
    X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
    Poco::Net::IPAddress address;
    if (Poco::Net::IPAddress::tryParse(host, address)) {
        return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1;
}

}  // namespace

sdk::Result<Poco::Net::Context::Ptr> TlsContext::get() {
    const std::lock_guard lock(mutex_);
    if (context_) {
        return context_;
    }
    try {
        keep_openssl();
        ERR_clear_error();
        Poco::Net::Context::Params params;
        params.verificationMode = Poco::Net::Context::VERIFY_RELAXED;
        params.loadDefaultCAs = ca_file_.empty();
        params.caLocation = ca_file_.string();
        params.cipherList = "HIGH:!aNULL:!MD5:!3DES";
        Poco::Net::Context::Ptr context =
            new Poco::Net::Context(Poco::Net::Context::TLS_CLIENT_USE, params);
        context->requireMinimumProtocol(Poco::Net::Context::PROTO_TLSV1_2);
        // OpenSSL checks the name itself; Poco's own check leaves out loopback hosts.
        context->enableExtendedCertificateVerification(false);
        SSL_CTX_set_verify(context->sslContext(), SSL_VERIFY_PEER, &remember_problem);
        if (!bind_to_host(context->sslContext(), host_)) {
            return failure(sdk::Errc::internal, "host name verification could not be set up");
        }
        context_ = context;
        return context_;
    } catch (const Poco::Exception& exception) {
        return failure(sdk::Errc::invalid_config,
                       ca_file_.empty()
                           ? "the system's certificate authorities can't be loaded: install "
                             "ca-certificates (" +
                                 exception.displayText() + ")"
                           : "ca_file " + ca_file_.string() +
                                 " can't be loaded: give a PEM file of certificates (" +
                                 exception.displayText() + ")");
    }
}

std::string TlsContext::last_verification_problem() {
    return verification_problem == X509_V_OK
               ? std::string()
               : std::string(X509_verify_cert_error_string(verification_problem));
}

void TlsContext::clear_verification_problem() {
    verification_problem = X509_V_OK;
}

}  // namespace openarchiver::http
