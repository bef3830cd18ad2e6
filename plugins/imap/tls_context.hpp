#pragma once

#include <openssl/ssl.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/result.hpp>

namespace openarchiver::imap {

/// The source's TLS settings: a context of its own, TLS 1.2 at least. Safe for concurrent use.
class TlsContext {
public:
    /// An empty `ca_file` means the system's certificate authorities.
    explicit TlsContext(std::filesystem::path ca_file) : ca_file_(std::move(ca_file)) {}

    /// Made at first use, because reading the authorities takes time. invalid_config.
    sdk::Result<SSL_CTX*> get();

private:
    struct Deleter {
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };

    const std::filesystem::path ca_file_;
    std::mutex mutex_;  // guards context_
    std::unique_ptr<SSL_CTX, Deleter> context_;
};

}  // namespace openarchiver::imap
