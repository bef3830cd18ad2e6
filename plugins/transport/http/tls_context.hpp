#pragma once

#include <Poco/Net/Context.h>

#include <filesystem>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <string>

namespace openarchiver::http {

/// The TLS settings for one host: its own context, never the process-wide default of Poco's
/// SSLManager. Chain and host name are both checked by OpenSSL during the handshake, for loopback
/// hosts as well; TLS 1.2 at least.
class TlsContext {
public:
    /// An empty `ca_file` means the system's certificate authorities.
    TlsContext(std::string host, std::filesystem::path ca_file)
        : host_(std::move(host)), ca_file_(std::move(ca_file)) {}

    /// Made at first use, because reading the authorities takes time. invalid_config.
    sdk::Result<Poco::Net::Context::Ptr> get();

    /// Why the last handshake of this thread found the certificate not trustworthy; empty if it
    /// was not that.
    static std::string last_verification_problem();
    static void clear_verification_problem();

private:
    const std::string host_;
    const std::filesystem::path ca_file_;
    std::mutex mutex_;  // guards context_
    Poco::Net::Context::Ptr context_;
};

}  // namespace openarchiver::http
