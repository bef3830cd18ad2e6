#include "tls_context.hpp"

#include <openssl/err.h>

#include "failure.hpp"

namespace openarchiver::imap {

sdk::Result<SSL_CTX*> TlsContext::get() {
    const std::lock_guard lock(mutex_);
    if (context_) {
        return context_.get();
    }
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, Deleter> context(SSL_CTX_new(TLS_client_method()));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
        return failure(sdk::Errc::internal, "TLS can't be set up");
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    const bool loaded = ca_file_.empty() ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                         : SSL_CTX_load_verify_locations(
                                               context.get(), ca_file_.c_str(), nullptr) == 1;
    ERR_clear_error();
    if (!loaded) {
        return failure(sdk::Errc::invalid_config,
                       ca_file_.empty() ? "the system's certificate authorities can't be loaded: "
                                          "install ca-certificates"
                                        : "ca_file " + ca_file_.string() +
                                              " can't be loaded: give a PEM file of certificates");
    }
    context_ = std::move(context);
    return context_.get();
}

}  // namespace openarchiver::imap
